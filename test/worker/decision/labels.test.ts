import { describe, expect, it } from 'vitest';
import { createLabels } from '../../../src/worker/decision/labels.ts';

/** A tokenizer that knows these texts, the longest first, and single characters else. */
function tokenizer(known: readonly string[]) {
  const longestFirst = [...known].sort((a, b) => b.length - a.length);
  return (text: string): number[] => {
    const tokens: number[] = [];
    for (let at = 0; at < text.length; ) {
      const found = longestFirst.find((candidate) => text.startsWith(candidate, at));
      tokens.push(found ? 1_000 + known.indexOf(found) : text.codePointAt(at)!);
      at += found?.length ?? 1;
    }
    return tokens;
  };
}

const lettersOf = (before: string, known: string[], most: number) =>
  createLabels(before, tokenizer(known), most).letters();

describe('the letters of a model', () => {
  it('come with their form behind a space where that is one token too', () => {
    expect(lettersOf('Answer:\n', [' A'], 3)).toEqual([
      { text: 'A', tokens: ['A'.codePointAt(0), 1_000] },
      { text: 'B', tokens: ['B'.codePointAt(0)] },
      { text: 'C', tokens: ['C'.codePointAt(0)] },
    ]);
  });

  it('are only what is one token where the answer begins', () => {
    // Behind this end a B and what stands before it become one token.
    const letters = lettersOf('end:', [':B'], 26);
    expect(letters.map(({ text }) => text)).not.toContain('B');
    expect(letters).toHaveLength(25);
  });

  it('go on with pairs that are one token, and end where there are no more', () => {
    const letters = lettersOf('', ['AC', 'zz'], 255);
    expect(letters).toHaveLength(28);
    expect(letters.slice(26).map(({ text }) => text)).toEqual(['AC', 'zz']);
  });

  it('never share a token', () => {
    const tokens = lettersOf('', ['AC', ' A', 'BD', 'aa', 'bb'], 255).flatMap((label) => label.tokens);
    expect(new Set(tokens).size).toBe(tokens.length);
  });
});

describe('the words of options as labels', () => {
  const known = ['yes', 'Yes', ' no', 'billing', 'red'];
  const words = (...options: string[]) => createLabels('\n', tokenizer(known), 26).words(options);

  it('are all forms of each that are one token', () => {
    expect(words('yes', 'no')).toEqual([
      { text: 'yes', tokens: [1_000, 1_001] },
      { text: 'no', tokens: [1_002] },
    ]);
  });

  it.each([
    ['one of them is several tokens', ['yes', 'green']],
    ['two of them could be meant by one token', ['yes', 'Yes']],
    ['one of them is a sentence', ['yes', 'no '.repeat(50)]],
  ])('are none where %s', (_why, options) => {
    expect(words(...options)).toBeNull();
  });
});
