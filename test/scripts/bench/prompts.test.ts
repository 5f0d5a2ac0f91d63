import { describe, expect, it } from 'vitest';
import { firstSeed, fitTokenCost, seededRandom, uniqueWords, wordsFor } from '../../../scripts/bench/prompts.ts';

describe('prompts', () => {
  it('of the same seed are the same, so that both sides of a comparison get the same work', () => {
    expect(uniqueWords(50, 7)).toBe(uniqueWords(50, 7));
  });

  it('of two seeds differ from the first words on, so that no prefix cache helps', () => {
    const starts = Array.from({ length: 200 }, (_, seed) => uniqueWords(50, seed).slice(0, 9));
    expect(new Set(starts).size).toBe(200);
  });

  it('have as many words as asked for, beside the lead of two', () => {
    expect(uniqueWords(12, 3).split(' ')).toHaveLength(14);
  });

  it('of runs in different seconds have different seeds of the same length', () => {
    const seeds = [0, 1_000, 899_999_000, 1_900_000_000_000].map(firstSeed);
    expect(new Set(seeds.slice(0, 3)).size).toBe(3);
    expect(seeds.map((seed) => String(seed).length)).toEqual([10, 10, 10, 10]);
  });

  it('get the length in tokens that two measured ones foretell', () => {
    const cost = fitTokenCost({ words: 20, tokens: 50 }, { words: 120, tokens: 200 });
    expect(cost).toEqual({ tokensPerWord: 1.5, fixedTokens: 20 });
    expect(wordsFor(320, cost)).toBe(200);
    expect(wordsFor(5, cost)).toBe(1);
  });
});

describe('random numbers', () => {
  it('are spread over 0 to 1 and the same for the same seed', () => {
    const draw = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 1000 }, random);
    };
    const values = draw(1);
    expect(draw(1)).toEqual(values);
    expect(draw(2)).not.toEqual(values);
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const tenths = new Set(values.map((value) => Math.floor(value * 10)));
    expect(tenths.size).toBe(10);
  });
});
