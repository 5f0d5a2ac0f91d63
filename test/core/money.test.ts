import { describe, expect, it } from 'vitest';
import { formatUsd, parseUsd } from '../../src/core/money.ts';

describe('amounts of money', () => {
  it.each<[unknown, number, bigint]>([
    [5, 0, 5_000_000_000n],
    ['0.000150', 0, 150_000n],
    [0.1, 0, 100_000_000n],
    [1e-7, 0, 100n],
    ['$3', 0, 3_000_000_000n],
    [0.000075, 3, 75_000_000n],
    ['0.00000000015', 3, 150n],
  ])('%s times ten to the %i is %s nano-USD', (amount, scale, nanoUsd) => {
    expect(parseUsd(amount, scale)).toBe(nanoUsd);
  });

  it.each(['', 'free', '-1', '1e400', '0.0000000001', null, Number.NaN])('%s is none', (amount) => {
    expect(() => parseUsd(amount)).toThrow(RangeError);
  });

  it.each<[bigint, string]>([
    [150_000n, '0.000150'],
    [0n, '0.000000'],
    [1n, '0.000000001'],
    [42_500_000_000n, '42.500000'],
    [-1_500_000_000n, '-1.500000'],
  ])('%s nano-USD reads as %s', (nanoUsd, text) => {
    expect(formatUsd(nanoUsd)).toBe(text);
  });
});
