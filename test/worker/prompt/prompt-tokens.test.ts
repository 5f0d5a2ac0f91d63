import { describe, expect, it } from 'vitest';
import type { ChatInput } from '../../../src/core/chat.ts';
import { promptTokens } from '../../../src/worker/prompt/prompt-tokens.ts';

const letters = (text: string) => [...text].map((letter) => letter.charCodeAt(0));
/** A token for each letter; 1 begins a prompt. */
const runtime = {
  contextTokens: 10,
  vocabulary: { size: 1000 },
  tokenize: (pieces: readonly string[]) => [1, ...letters(pieces.join(''))],
  tokenizeFurther: letters,
  infill: { prefix: 901, suffix: 902, middle: 903 },
};
const tokensOf = (input: ChatInput, changes: Partial<typeof runtime> | { infill: null } = {}) =>
  promptTokens(
    { input, model: 'coder' },
    input.type === 'text' && typeof input.prompt === 'string' ? [input.prompt] : [],
    {
      ...runtime,
      ...changes,
    },
  );

describe('a prompt before a suffix', () => {
  it('stands between the tokens for filling in, the place of the answer last', () => {
    expect(tokensOf({ type: 'text', prompt: 'ab', suffix: 'c' })).toEqual([1, 901, 97, 98, 902, 99, 903]);
    expect(tokensOf({ type: 'text', prompt: [5, 6], suffix: 'c' })).toEqual([1, 901, 5, 6, 902, 99, 903]);
    expect(tokensOf({ type: 'text', prompt: 'ab' })).toEqual([1, 97, 98]);
  });

  it('is refused with the name of a model that has no such tokens', () => {
    expect(() => tokensOf({ type: 'text', prompt: 'ab', suffix: 'c' }, { infill: null })).toThrow(
      expect.objectContaining({ field: 'input.suffix', message: expect.stringContaining('"coder"') }),
    );
  });

  it('is refused before it is tokenised where it could never fit, as any prompt is', () => {
    const long = 'a'.repeat(641);
    for (const input of [{ prompt: long }, { prompt: long, suffix: 'c' }, { prompt: 'a', suffix: long }]) {
      expect(() => tokensOf({ type: 'text', ...input })).toThrow(
        expect.objectContaining({ code: 'context_length_exceeded' }),
      );
    }
  });

  it('has only tokens that the model knows', () => {
    for (const suffix of [{}, { suffix: 'c' }]) {
      expect(() => tokensOf({ type: 'text', prompt: [5, 1000], ...suffix })).toThrow(/token 1000.*1000 tokens/);
    }
  });
});
