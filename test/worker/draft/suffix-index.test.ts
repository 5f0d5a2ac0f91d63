import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSuffixIndex } from '../../../src/worker/draft/suffix-index.ts';

function indexOf(tokens: number[], minMatchTokens = 3) {
  const index = createSuffixIndex(minMatchTokens);
  for (const token of tokens) index.push(token);
  return index;
}

describe('the longest suffix seen before', () => {
  it('proposes what followed the last time', () => {
    expect(indexOf([1, 2, 3, 4, 5, 6, 9, 1, 2, 3]).propose(3)).toEqual([4, 5, 6]);
  });

  it('prefers the longer match, and of equal ones the later', () => {
    expect(indexOf([7, 1, 2, 3, 40, 8, 1, 2, 3, 50, 7, 1, 2, 3]).propose(1)).toEqual([40]);
    expect(indexOf([5, 1, 2, 3, 40, 6, 1, 2, 3, 50, 7, 1, 2, 3]).propose(1)).toEqual([50]);
  });

  it('proposes nothing for text without repetition or with too short a match', () => {
    expect(indexOf([1, 2, 3, 4, 5, 6, 7]).propose(4)).toEqual([]);
    expect(indexOf([1, 2, 3, 4, 1, 2, 3], 4).propose(4)).toEqual([]);
    expect(indexOf([1, 2]).propose(4)).toEqual([]);
  });

  it('goes on through the end of a repetition that is still being written', () => {
    expect(indexOf([1, 2, 3, 1, 2, 3, 1, 2, 3]).propose(2)).toEqual([1, 2]);
  });

  it('agrees with a naive search over random texts', () => {
    const texts = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 });
    fc.assert(
      fc.property(texts, (tokens) => {
        const proposed = indexOf(tokens).propose(1);
        let longest = 0;
        const after = new Set<number>();
        for (let end = 3; end < tokens.length; end++) {
          let length = 0;
          while (length < end && tokens[end - 1 - length] === tokens[tokens.length - 1 - length]) length++;
          if (length < 3 || length < longest) continue;
          if (length > longest) after.clear();
          longest = length;
          after.add(tokens[end]!);
        }
        // Only the latest eight occurrences are looked at; 30 tokens of 4 kinds rarely have more.
        if (longest === 0) expect(proposed).toEqual([]);
        else expect(proposed).toHaveLength(1);
        if (after.size === 1 && longest > 6) expect(after.has(proposed[0]!)).toBe(true);
      }),
    );
  });
});
