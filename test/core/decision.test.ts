import { describe, expect, it } from 'vitest';
import { confidenceOf, expectedLevel, likeliest } from '../../src/core/decision.ts';

describe('what is said of probabilities', () => {
  it.each([
    [[0.5, 0.5], 0],
    [[1, 0], 1],
    [[0, 0, 1, 0], 1],
    [[0.25, 0.25, 0.25, 0.25], 0],
    [[0.75, 0.25], 0.5],
    [[0.5, 0.25, 0.25], 0.25],
  ])('is the confidence of %j: 0 where it is flat, 1 where it is certain', (probabilities, confidence) => {
    expect(confidenceOf(probabilities)).toBeCloseTo(confidence, 12);
  });

  it('is never a confidence below 0 or above 1, whatever rounding does', () => {
    const third = 1 / 3;
    expect(confidenceOf([third, third, third])).toBeGreaterThanOrEqual(0);
    expect(confidenceOf([1 + 1e-16, 0])).toBeLessThanOrEqual(1);
  });

  it('is the first of equally likely options', () => {
    expect(likeliest([0.2, 0.4, 0.4])).toBe(1);
  });

  it('is the expected level, the lowest being 0', () => {
    expect(expectedLevel([1, 0, 0])).toBe(0);
    expect(expectedLevel([0, 0.5, 0.5])).toBe(1.5);
  });
});
