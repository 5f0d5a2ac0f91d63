import type { Decision } from './decision.ts';

/**
 * Less than this of the model's distribution on the labels says that it was about to write something else: what is left
 * would be made up by the division.
 */
export const leastLabelMass = 0.1;

/** Added to each share of an empty input before one is divided by it, so that a tiny one does not decide alone. */
const smoothing = 0.01;

/** What was read with the options in one order. */
export interface Reading {
  /** The option at each place. */
  order: readonly number[];
  /** The share of each place's label. */
  shares: readonly number[];
}

/**
 * The decision of what was read in several orders, and of an empty input in the same ones (left out: it was not read). What a model says of nothing is
 * its liking for words and places, so each share is divided by the one that it has there; the geometric mean over an order
 * and its reverse takes away what is left of the places.
 */
export function decide(readings: readonly Reading[], empty: readonly Reading[] = readings.map(ofNothing)): Decision {
  const options = readings[0]!.order.length;
  const labelMass = readings.reduce((sum, { shares }) => sum + total(shares), 0) / readings.length;
  if (!(labelMass >= leastLabelMass)) return { type: 'refused', reason: refusal(labelMass), labelMass };
  const logs = Array.from({ length: options }, () => 0);
  for (const [index, { order, shares }] of readings.entries()) {
    const prior = priorOf(empty[index]!);
    for (const [at, place] of order.entries()) {
      // A share too small for its number is as good as none, and its logarithm would be no number.
      logs[place]! += Math.log(Math.max(shares[at]!, Number.MIN_VALUE) / prior[at]!) / readings.length;
    }
  }
  const most = Math.max(...logs);
  const weights = logs.map((log) => Math.exp(log - most));
  const sum = total(weights);
  return {
    type: 'decided',
    probabilities: weights.map((weight) => weight / sum),
    labelMass: Math.min(1, labelMass),
  };
}

/** As if it had said nothing of an empty input. */
function ofNothing({ order, shares }: Reading): Reading {
  return { order, shares: shares.map(() => 0) };
}

/** Orders in which a question's options are read. */
export function ordersOf(options: number): number[][] {
  const forward = Array.from({ length: options }, (_, place) => place);
  return [forward, forward.toReversed()];
}

/** What a model says of nothing, by place; flat where it would not have answered at all. */
function priorOf({ shares }: Reading): number[] {
  const mass = total(shares);
  const flat = 1 / shares.length;
  return shares.map((share) => ((mass > 0 ? share / mass : flat) + smoothing) / (1 + smoothing * shares.length));
}

function refusal(labelMass: number): string {
  const percent = Math.round(labelMass * 1000) / 10;
  return `The model did not answer by the options: only ${percent} % of its next token's probability fell on them, and ${leastLabelMass * 100} % are needed.`;
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
