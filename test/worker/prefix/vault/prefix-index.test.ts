import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrefixIndex } from '../../../../src/worker/prefix/vault/prefix-index.ts';

interface Entry {
  tokens: Uint32Array;
}

const entryOf = (tokens: readonly number[]): Entry => ({ tokens: Uint32Array.from(tokens) });

/** The same by looking at every entry: how many tokens are saved, and the length of the shortest entry that does. */
function naiveLongest(
  entries: Iterable<Entry>,
  tokens: readonly number[],
  limit: number,
  canCut: (n: number) => boolean,
) {
  let best: { length: number; entryTokens: number } | null = null;
  for (const { tokens: stored } of entries) {
    let length = 0;
    while (length < Math.min(stored.length, limit) && stored[length] === tokens[length]) length++;
    if (length === 0 || (length < stored.length && !canCut(stored.length))) continue;
    const isBetter =
      best === null || length > best.length || (length === best.length && stored.length < best.entryTokens);
    if (isBetter) best = { length, entryTokens: stored.length };
  }
  return best;
}

// Three tokens and short lists: prefixes of one another, forks and exact repeats all come up.
const tokenList = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 9 });
const steps = fc.array(fc.record({ act: fc.constantFrom('add', 'add', 'remove'), tokens: tokenList }), {
  maxLength: 40,
});

describe('the prefix index', () => {
  it('finds what a look at every entry finds, whatever was added and removed before', () => {
    fc.assert(
      fc.property(steps, fc.array(tokenList, { minLength: 5, maxLength: 5 }), fc.nat(10), (history, prompts, cut) => {
        const index = createPrefixIndex<Entry>();
        const kept = new Map<string, Entry>();
        for (const { act, tokens } of history) {
          const name = tokens.join();
          const known = kept.get(name);
          if (act === 'add') {
            const entry = entryOf(tokens);
            index.add(entry);
            kept.set(name, entry);
          } else if (known) {
            index.remove(known);
            kept.delete(name);
          }
        }
        expect(index.size).toBe(kept.size);
        const canCut = (entryTokens: number) => entryTokens < cut;
        for (const prompt of prompts) {
          for (const limit of [prompt.length, prompt.length - 1]) {
            const found = index.longest(prompt, limit, canCut);
            const summary = found && { length: found.length, entryTokens: found.entry.tokens.length };
            expect(summary).toEqual(naiveLongest(kept.values(), prompt, limit, canCut));
            if (found) expect(kept.get(found.entry.tokens.join())).toBe(found.entry);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is not told to remove an entry by another one with the same tokens', () => {
    const index = createPrefixIndex<Entry>();
    const entry = entryOf([1, 2, 3]);
    index.add(entry);
    index.remove(entryOf([1, 2, 3]));
    index.remove(entryOf([1, 2]));
    index.remove(entryOf([4]));
    expect(index.size).toBe(1);
    expect(index.longest([1, 2, 3], 3, () => false)?.entry).toBe(entry);
  });

  it('looks at no more tokens with a thousand entries than with one', () => {
    const reads = (entryCount: number) => {
      const index = createPrefixIndex<Entry>();
      const shared = Array.from({ length: 500 }, (_, position) => position);
      for (let n = 0; n < entryCount; n++) index.add(entryOf([...shared, 1000 + n, 1, 2, 3]));
      let count = 0;
      const prompt = new Proxy([...shared, 1000, 1, 2, 3], {
        get(target, name) {
          count++;
          return Reflect.get(target, name);
        },
      });
      expect(index.longest(prompt, 504, () => true)?.length).toBe(504);
      return count;
    };
    expect(reads(1000)).toBeLessThanOrEqual(reads(1) + 2);
  });
});
