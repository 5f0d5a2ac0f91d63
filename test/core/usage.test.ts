import { describe, expect, it } from 'vitest';
import { promptTokensOf, promptUsage, sumChoices, totalTokensOf, unknownUsage } from '../../src/core/usage.ts';

describe('usage', () => {
  it('counts a prompt token once: computed, read from a cache, or written to one', () => {
    const usage = {
      ...unknownUsage,
      inputTokens: 10,
      cacheReadTokens: 100,
      cacheWrite5mTokens: 20,
      cacheWrite1hTokens: 3,
      outputTokens: 7,
    };
    expect(promptTokensOf(usage)).toBe(133);
    expect(totalTokensOf(usage)).toBe(140);
    expect(promptUsage(133, 100)).toEqual({ ...unknownUsage, inputTokens: 33, cacheReadTokens: 100 });
  });

  it('knows a sum only when its parts are known; a cache that nobody names has none', () => {
    expect(promptTokensOf({ ...unknownUsage, cacheReadTokens: 5 })).toBeNull();
    expect(promptTokensOf({ ...unknownUsage, inputTokens: 5 })).toBe(5);
    expect(totalTokensOf({ ...unknownUsage, inputTokens: 5 })).toBeNull();
    expect(totalTokensOf({ ...unknownUsage, inputTokens: 5, outputTokens: 4 })).toBe(9);
  });

  it('of several choices is the prompt once, as cached as no choice had to compute it, and all output', () => {
    const of = (cached: number, outputTokens: number) => ({
      ...promptUsage(50, cached),
      outputTokens,
      reasoningTokens: 1,
    });
    const all = sumChoices([of(0, 4), of(49, 5), of(49, 6)]);
    expect(all).toMatchObject({ inputTokens: 50, cacheReadTokens: 0, outputTokens: 15, reasoningTokens: 3 });
    expect(promptTokensOf(sumChoices([of(40, 1), of(49, 1)]))).toBe(50);
    expect(sumChoices([of(0, 4), { ...of(0, 0), outputTokens: null }]).outputTokens).toBeNull();
    expect(sumChoices([])).toEqual(unknownUsage);
  });
});
