import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestRatioOf, leastSquaresSlope, quantile, ratioOf, summarize } from '../../../scripts/bench/statistics.ts';

describe('quantile', () => {
  it.each([
    [[1, 2, 3], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2.5],
    [[10, 20], 0.25, 12.5],
    [[7], 0.99, 7],
    [[1, 2, 3], 1, 3],
  ])('of %j at %d is %d, whatever the order of the values', (values, q, expected) => {
    expect(quantile(values, q)).toBe(expected);
    expect(quantile([...values].reverse(), q)).toBe(expected);
  });

  it('of nothing is null', () => {
    expect(quantile([], 0.5)).toBeNull();
  });

  it('leaves the list as it was', () => {
    const values = [3, 1, 2];
    quantile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('a summary', () => {
  it('has the median and the spread of what was measured, and leaves out what was not', () => {
    expect(summarize([3, null, 1, 8])).toEqual({ median: 3, min: 1, max: 8, count: 3 });
  });

  it('of nothing measured is null', () => {
    expect(summarize([null, null])).toBeNull();
  });

  it('makes a ratio of medians, and none where one is missing or the divisor is zero', () => {
    expect(ratioOf(summarize([6, 8, 100]), summarize([4]))).toBe(2);
    expect(ratioOf(null, summarize([4]))).toBeNull();
    expect(ratioOf(summarize([4]), null)).toBeNull();
    expect(ratioOf(summarize([4]), summarize([0]))).toBeNull();
  });
});

describe('the ratio of the best', () => {
  it('takes the largest of each side, and is unknown where one is missing or zero', () => {
    expect(bestRatioOf(summarize([1, 9, 2]), summarize([3, 4, 4.5]))).toBe(2);
    expect(bestRatioOf(null, summarize([4]))).toBeNull();
    expect(bestRatioOf(summarize([4]), null)).toBeNull();
    expect(bestRatioOf(summarize([4]), summarize([0]))).toBeNull();
  });
});

describe('the least-squares slope', () => {
  it('of points on a line is that of the line', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -100, max: 100 }),
        fc.integer({ min: -100, max: 100 }),
        fc.uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 20 }),
        (slope, start, xs) => {
          const found = leastSquaresSlope(xs.map((x) => ({ x, y: start + slope * x })));
          expect(found).toBeCloseTo(slope, 6);
        },
      ),
    );
  });

  it('goes between points that scatter', () => {
    const points = [1, -1, 1, -1, -1, 1, -1, 1].map((error, x) => ({ x, y: 2 * x + error }));
    expect(leastSquaresSlope(points)).toBeCloseTo(2, 6);
  });

  it('is null where there is no line: one point, or all at one x', () => {
    expect(leastSquaresSlope([{ x: 1, y: 1 }])).toBeNull();
    expect(
      leastSquaresSlope([
        { x: 1, y: 1 },
        { x: 1, y: 5 },
      ]),
    ).toBeNull();
  });
});
