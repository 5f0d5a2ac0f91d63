import type { PrefillPacer } from './pacer.ts';
import { prefillOrder, sharePrefill } from './portions.ts';
import type { Slot } from './slots.ts';
import { isSteady } from './steady.ts';

/** What one step takes in. */
export interface StepPlan {
  /** Slots that take part, in ascending order. */
  taking: readonly Slot[];
  /** Prompt tokens of each. */
  shares: ReadonlyMap<Slot, number>;
  /** Slots that decode. */
  decoding: number;
  /** Tokens before the deepest of the prompt portions. */
  depth: number;
}

const nothing: StepPlan['shares'] = new Map();

/** Returns what plans the next step: every decoding slot and one bounded portion of prompt tokens. */
export function createStepPlanner(deps: {
  slots: readonly Slot[];
  /** Largest decode call. */
  batchTokens: number;
  /** Prompt tokens of a portion that is not to follow the time. */
  steadyTokens: number;
  pacer: Pick<PrefillPacer, 'chunkTokens'>;
}): () => StepPlan {
  const { slots, pacer } = deps;
  let portions = 0;
  /** The last step was a prompt's portion alone: those who decode come next. */
  let wasAlone = false;

  const planOf = (taking: readonly Slot[], shares: StepPlan['shares']): StepPlan => {
    const decoding = taking.filter((slot) => slot.generation).length;
    if (shares.size > 0) portions++;
    wasAlone = decoding === 0;
    const depth = Math.max(0, ...[...shares.keys()].map(({ sequence }) => sequence.length));
    return { taking, shares, decoding, depth };
  };

  /**
   * Prompt tokens of a step for whom nobody waits: whoever comes meanwhile waits for it, half of it on average. As with the
   * pacer, one token goes with the decoders.
   */
  const shortPortion = (decoding: number) => Math.ceil(deps.steadyTokens / 2) + (decoding > 0 ? 1 : 0);

  return () => {
    const suspect = slots.find((slot) => slot.suspect);
    if (suspect) return planOf([suspect], new Map([[suspect, Math.min(suspect.pending.length, deps.batchTokens)]]));
    const taking = slots.filter((slot) => slot.task);
    const order = prefillOrder(slots, portions + 1);
    const [first] = order;
    if (!first) return planOf(taking, nothing);
    const decoding = taking.filter((slot) => slot.generation);
    // Its rows are a pass of their own beside decoders too, so that a step of its own costs them next to nothing.
    if (first.task && isSteady(first.task)) {
      if (wasAlone && decoding.length > 0) return planOf(decoding, nothing);
      return planOf([first], sharePrefill(slots, [first], deps.steadyTokens));
    }
    const others = order.filter(({ task }) => task && !isSteady(task));
    const paced = pacer.chunkTokens(decoding.length, first.sequence.length);
    const budget = taking.every(({ task }) => task?.isBackground)
      ? Math.min(paced, shortPortion(decoding.length))
      : paced;
    return planOf(taking, sharePrefill(slots, others, budget));
  };
}
