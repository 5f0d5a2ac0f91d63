import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, leastLabelMass, ordersOf, type Reading } from '../../src/core/decision-shares.ts';

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Shares by place, of options with these weights and a liking for places. */
function read(weights: readonly number[], liking: (place: number) => number): Reading[] {
  return ordersOf(weights.length).map((order) => {
    const raw = order.map((option, place) => weights[option]! * liking(place));
    const total = sum(raw);
    return { order, shares: raw.map((value) => (0.8 * value) / total) };
  });
}

/** A model without any liking. */
const even = (readings: readonly Reading[]): Reading[] =>
  readings.map(({ order }) => ({ order, shares: order.map(() => 0.9 / order.length) }));
const decideEvenly = (readings: readonly Reading[]) => decide(readings, even(readings));

describe('a decision of what was read', () => {
  it('is finite, not negative and 1 in sum, whatever was read', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const readings = fc.integer({ min: 2, max: 255 }).chain((options) =>
      fc.tuple(
        ...ordersOf(options).map((order) =>
          fc.record({
            order: fc.constant(order),
            shares: fc.array(share, { minLength: options, maxLength: options }),
          }),
        ),
      ),
    );
    fc.assert(
      fc.property(readings, (found) => {
        const decision = decide(found, found.toReversed());
        expect(Number.isFinite(decision.labelMass)).toBe(true);
        if (decision.type === 'refused') return;
        expect(decision.probabilities.every((p) => Number.isFinite(p) && p >= 0)).toBe(true);
        expect(Math.abs(sum(decision.probabilities) - 1)).toBeLessThan(1e-6);
        expect(decision.labelMass).toBeLessThanOrEqual(1);
      }),
      { numRuns: 200 },
    );
  });

  it('does not show that the model likes the first of two places', () => {
    const decision = decideEvenly(read([0.7, 0.3], (place) => (place === 0 ? 9 : 1)));
    expect(decision).toMatchObject({
      type: 'decided',
      probabilities: [expect.closeTo(0.7, 6), expect.closeTo(0.3, 6)],
    });
  });

  it('does not show a liking that falls or grows from place to place', () => {
    const weights = [0.1, 0.2, 0.3, 0.4];
    const decision = decideEvenly(read(weights, (place) => 3 ** -place));
    expect(decision).toMatchObject({ probabilities: weights.map((weight) => expect.closeTo(weight, 6)) });
  });

  it('is the same for the same options in the opposite order, each at its own place', () => {
    const liking = (place: number) => [5, 1, 2][place]!;
    const forward = decideEvenly(read([0.2, 0.3, 0.5], liking));
    const backward = decideEvenly(read([0.5, 0.3, 0.2], liking));
    if (forward.type === 'refused' || backward.type === 'refused') throw new Error('refused');
    for (const [index, p] of forward.probabilities.entries()) {
      expect(backward.probabilities[2 - index]).toBeCloseTo(p, 12);
    }
  });

  it('does not show that the model likes the word of an option, which it likes as much where there is no input', () => {
    // Of nothing it says the second option four times as often.
    const empty = read([0.2, 0.8], () => 1);
    const decision = decide(
      read([0.2, 0.8], () => 1),
      empty,
    );
    expect(decision).toMatchObject({ probabilities: [expect.closeTo(0.5, 1), expect.closeTo(0.5, 1)] });
    const moved = decide(
      read([0.4, 0.6], () => 1),
      empty,
    );
    expect(moved.type === 'decided' && moved.probabilities[0]! > 0.6).toBe(true);
  });

  it('does not divide by next to nothing: what the model never says of no input does not decide alone', () => {
    const empty = read([1e-9, 1], () => 1);
    const decision = decide(
      read([1e-7, 1], () => 1),
      empty,
    );
    expect(decision.type === 'decided' && decision.probabilities[0]! < 0.01).toBe(true);
  });

  it('gives an option that has no share next to nothing, never the weight of a share of 1', () => {
    const decision = decideEvenly([
      { order: [0, 1], shares: [0.5, 0] },
      { order: [1, 0], shares: [0, 0.5] },
    ]);
    expect(decision).toMatchObject({ type: 'decided', probabilities: [expect.closeTo(1, 9), expect.closeTo(0, 9)] });
  });

  it('is refused, with the reason and the mass, where the labels have next to nothing of the distribution', () => {
    const low = decideEvenly([
      { order: [0, 1], shares: [0.02, 0.01] },
      { order: [1, 0], shares: [0.02, 0.01] },
    ]);
    expect(low).toEqual({
      type: 'refused',
      labelMass: expect.closeTo(0.03, 9),
      reason: expect.stringMatching(/only 3 % .* 10 % are needed/),
    });
    const enough = decideEvenly([{ order: [0, 1], shares: [leastLabelMass, 0] }]);
    expect(enough.type).toBe('decided');
  });
});

describe('the orders in which options are read', () => {
  it('put each option once at a place and once at its opposite', () => {
    const orders = ordersOf(5);
    for (let option = 0; option < 5; option++) {
      expect(sum(orders.map((order) => order.indexOf(option)))).toBe(4);
    }
  });
});
