import { describe, expect, it } from 'vitest';
import type { Sampling } from '../../../src/core/chat.ts';
import { createPicker, seededRandom } from '../../../src/worker/llama/picker.ts';

const candidates = new Map([
  [10, 0.5],
  [11, 0.3],
  [12, 0.15],
  [13, 0.05],
]);
const endToken = 10;

function picker(sampling: Sampling, random: () => number, topLogprobs: number | null = null) {
  return createPicker({ sampling, topLogprobs, isEnd: (token) => token === endToken, random });
}

/** Tokens that can come out at all, by trying the whole range of the random number. */
function possible(sampling: Sampling, position = 0): number[] {
  const tokens = new Set<number>();
  for (let step = 0; step < 1_000; step++)
    tokens.add(picker(sampling, () => step / 1_000).pick(candidates, position).token);
  return [...tokens].sort();
}

const open = { temperature: 1, topP: 1, minP: 0, topK: 0 };

describe('choosing a token in our own code', () => {
  it('takes the best at temperature 0', () => {
    expect(possible({ temperature: 0 })).toEqual([10]);
  });

  it('follows the probabilities at temperature 1', () => {
    const random = seededRandom(7);
    const counts = new Map<number, number>();
    const choice = picker(open, random);
    for (let turn = 0; turn < 20_000; turn++) {
      const { token } = choice.pick(candidates, 0);
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    for (const [token, p] of candidates) expect(counts.get(token)! / 20_000).toBeCloseTo(p, 1);
  });

  it('cuts by top_k, top_p and min_p, and always keeps the best', () => {
    expect(possible({ ...open, topK: 2 })).toEqual([10, 11]);
    expect(possible({ ...open, topP: 0.6 })).toEqual([10, 11]);
    expect(possible({ ...open, topP: 0.01 })).toEqual([10]);
    expect(possible({ ...open, minP: 0.2 })).toEqual([10, 11, 12]);
    expect(possible({ ...open, minP: 1 })).toEqual([10]);
  });

  it('keeps what is about as surprising as expected by typical_p, be it the best or not', () => {
    // Surprises 0.69, 1.20, 1.90, 3.00 around an expected one of 1.14.
    expect(possible({ ...open, typicalP: 0.2 })).toEqual([11]);
    expect(possible({ ...open, typicalP: 0.5 })).toEqual([10, 11]);
    expect(possible({ ...open, typicalP: 0.9 })).toEqual([10, 11, 12]);
    expect(possible({ ...open, typicalP: 1 })).toEqual([10, 11, 12, 13]);
    expect(possible({ ...open, typicalP: 0 })).toEqual([11]);
    // Of the two that top_k leaves, the second is the further one.
    expect(possible({ ...open, typicalP: 0.5, topK: 2 })).toEqual([10]);
    expect(possible({ ...open, typicalP: 0.9, topP: 0.5 })).toEqual([10]);
  });

  it('never ends before the wished number of tokens, or at all', () => {
    expect(possible({ ...open, minTokens: 3 }, 2)).toEqual([11, 12, 13]);
    expect(possible({ ...open, minTokens: 3 }, 3)).toContain(endToken);
    expect(possible({ ...open, ignoreEnd: true }, 99)).toEqual([11, 12, 13]);
    expect(possible({ temperature: 0, ignoreEnd: true })).toEqual([11]);
  });

  it('takes a bias on end tokens, which the library drops', () => {
    expect(possible({ ...open, logitBias: { [endToken]: -100 } })).toEqual([11, 12, 13]);
    expect(possible({ temperature: 0, logitBias: { [endToken]: -5 } })).toEqual([11]);
    const biased = picker({ temperature: 0, logitBias: { [endToken]: -100 } }, () => 0, 1).pick(candidates, 0);
    expect(biased.logprob).toBeCloseTo(Math.log(0.3 / 0.5));
    // Other tokens were biased by the library already.
    expect(possible({ temperature: 0, logitBias: { 11: 50 } })).toEqual([10]);
  });

  it('reports true probabilities whatever was cut, the likeliest first', () => {
    const picked = picker({ temperature: 0 }, () => 0, 2).pick(candidates, 0);
    expect(picked.logprob).toBeCloseTo(Math.log(0.5));
    expect(picked.top.map(({ token }) => token)).toEqual([10, 11]);
    expect(picked.top[1]!.logprob).toBeCloseTo(Math.log(0.3));
    expect(picker(open, () => 0).pick(candidates, 0)).toMatchObject({ logprob: null, top: [] });
  });

  it('gives the same numbers for the same seed', () => {
    const numbers = (seed: number) => {
      const random = seededRandom(seed);
      return Array.from({ length: 5 }, () => random());
    };
    expect(numbers(1)).toEqual(numbers(1));
    expect(numbers(1)).not.toEqual(numbers(2));
    for (const number of numbers(3)) expect(number >= 0 && number < 1).toBe(true);
  });
});
