import type { Reading } from '../../core/decision-shares.ts';
import { AppError } from '../../core/errors.ts';
import type { Scoring, Task } from '../answer/answer.ts';
import { sharedOwner } from '../prefix/prefix.ts';
import type { Label } from './labels.ts';

/** One prompt: a question with its options in one order. */
export interface Step {
  /** Number of the question in the request. */
  question: number;
  order: readonly number[];
  /** Tokens of the question. */
  tokens: readonly number[];
  /** The first of them, that all orders of the question have in common. */
  stemTokens: number;
  /** Of each place. */
  labels: readonly Label[];
}

/**
 * A task that reads all steps behind one shared beginning, one after the other. Orders of one question follow each other, and
 * all but the first are read from where the question's orders part. `done`: is given the readings of the steps in their order,
 * and how many tokens of the beginning were there already; else `refuse` is called, or the loop tells.
 */
export function createScoringTask(deps: {
  id: number;
  owner: string | null;
  shared: readonly number[];
  /** At least one. */
  steps: readonly Step[];
  portionTokens: number;
  done: (readings: Reading[], cachedTokens: number) => void;
  refuse: (error: AppError) => void;
}): Task {
  const { shared, steps } = deps;
  const readings: Reading[] = [];
  let cachedTokens = 0;
  const promptOf = (step: Step) => [...shared, ...step.tokens];
  let prompt = promptOf(steps[0]!);

  const scoring: Scoring = {
    sharedTokens: shared.length,
    portionTokens: deps.portionTokens,
    get read() {
      return readings.length;
    },
    get candidates() {
      return steps[readings.length]!.labels.flatMap(({ tokens }) => tokens);
    },
    take(shares) {
      const step = steps[readings.length]!;
      readings.push({ order: step.order, shares: sharesOf(step.labels, shares) });
      const next = steps[readings.length];
      if (next) prompt = promptOf(next);
      else deps.done(readings, cachedTokens);
      return {
        goesOn: next !== undefined,
        keptTokens: shared.length + (next?.question === step.question ? step.stemTokens : 0),
      };
    },
  };
  return {
    id: deps.id,
    get prompt() {
      return prompt;
    },
    // Apart from what is generated: a state that was read in other portions has other numbers.
    cache: { owner: `decisions ${deps.owner ?? sharedOwner}`, mode: 'keep', pinTokens: 0 },
    settings: { sampling: {}, generated: [], topLogprobs: null, grammar: null },
    begin(cached) {
      cachedTokens = cached;
      return [];
    },
    accept: () => ({ events: [], finished: true }),
    finish() {
      deps.refuse(new AppError('client_closed_request', 'The request was cancelled.'));
      return [];
    },
    scoring,
  };
}

/** Each label's share: that of all tokens by which it may be answered. */
function sharesOf(labels: readonly Label[], shares: readonly number[]): number[] {
  let at = 0;
  return labels.map(({ tokens }) => {
    const own = shares.slice(at, at + tokens.length);
    at += tokens.length;
    return own.reduce((sum, share) => sum + share, 0);
  });
}
