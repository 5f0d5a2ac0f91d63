import { describe, expect, it } from 'vitest';
import {
  aimOf,
  comparisonOf,
  quartilesOf,
  renderRatio,
  scenarios,
  type Took,
} from '../../../scripts/bench/kernel-scenarios.ts';

const took = (wallMs: number, processorMs = wallMs): Took => ({ tokens: 10, wallMs, processorMs });

describe('two sides of kernels', () => {
  it('are compared round by round: a machine that is slow for a while changes no ratio', () => {
    const { library, here, ratio } = comparisonOf(
      [took(100), took(200), took(1_000)],
      [took(50), took(100), took(500)],
      'wall',
    );
    expect({ library, here }).toEqual({ library: 50, here: 100 });
    expect(ratio).toEqual({ lower: 2, median: 2, upper: 2 });
  });

  it('are compared by the clock that is asked for', () => {
    const sides = [[took(100, 90)], [took(100, 30)]] as const;
    expect(comparisonOf(...sides, 'wall').ratio.median).toBe(1);
    expect(comparisonOf(...sides, 'processor').ratio.median).toBeCloseTo(3);
  });

  it('have quartiles, and are written with two digits', () => {
    const quartiles = quartilesOf([5, 1, 4, 2, 3]);
    expect(quartiles).toEqual({ lower: 2, median: 3, upper: 4 });
    expect(renderRatio(quartiles)).toBe('3.00 (2.00-4.00)');
  });
});

describe('the aim of a row', () => {
  it.each([
    ['sse42', 'prompt', 'q5_k', 8],
    ['sse42', 'prompt', 'q4_0', 3],
    ['sse42', 'deep', 'q4_0', 3],
    ['haswell', 'prompt', 'q4_1', 2],
    ['haswell', 'prompt', 'q8_0', 1.5],
    ['alderlake', 'decode', 'q8_0', 1.05],
    ['zen4', 'prompt', 'q4_k', 1],
    ['zen4', 'portion', 'q4_k', 2],
  ] as const)('of %s, %s, %s is %d', (kernels, key, type, aim) => {
    expect(aimOf(kernels, key, type)).toBe(aim);
  });

  it('is not to lose where none was set', () => {
    expect(aimOf('haswell', 'prompt', 'iq4_nl')).toBe(0.98);
    expect(aimOf('ivybridge', 'decode', 'q4_0')).toBe(0.98);
  });
});

it('rows fit into the context that they are measured in', () => {
  for (const { depth, read, steps, streams } of scenarios) {
    expect(depth + read + steps + 1).toBeLessThanOrEqual(streams === 1 ? 3_328 : 256);
  }
});
