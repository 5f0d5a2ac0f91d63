import type { WorkerMeasurement } from '../../ipc/protocol.ts';
import type { Slot } from './slots.ts';
import type { StepThreads } from './step-threads.ts';
import type { ThreadPool } from './thread-pool.ts';

/** Runs one step for its time alone: nothing is generated, counted or kept. */
export type MeasureStep = (slots: readonly Slot[], setting: WorkerMeasurement) => Promise<number | null>;

/**
 * Measures single steps on slots that have no task. What a slot holds is there again afterwards: an empty one is taken
 * first, and what was evaluated behind a state is cut off again where that is exact.
 * Returns milliseconds; null: no slot can take the tokens without a loss.
 */
export function createMeasureStep(deps: {
  /** Evaluates tokens at the end of a slot's sequence, with logits of all of them or of the last. */
  evaluate: (slot: number, tokens: number[], logits: 'all' | 'last') => Promise<void>;
  threads: Pick<StepThreads, 'within'>;
  pool: Pick<ThreadPool, 'within'>;
  /** Tokens one slot can hold. */
  contextTokens: number;
  vocabularySize: number;
  /** Whether the end of a state can be cut off and leaves what was there before. */
  cuttable: boolean;
  nowMs: () => number;
}): MeasureStep {
  return async (slots, { phase, tokens: count, threads, libuvThreads }) => {
    // One cell of the context stays free.
    const fits = ({ sequence }: Slot) => sequence.length + count < deps.contextTokens;
    const free = slots
      .filter((slot) => !slot.task && fits(slot) && (deps.cuttable || slot.sequence.length === 0))
      .sort((a, b) => a.sequence.length - b.sequence.length)[0];
    if (!free) return null;
    const { sequence, index } = free;
    const held = [...sequence.tokens()];
    const tokens = spreadTokens(count, deps.vocabularySize);
    let restored = false;
    try {
      const elapsedMs = await deps.pool.within(libuvThreads, async () => {
        const beganMs = deps.nowMs();
        await deps.threads.within(threads, () => deps.evaluate(index, tokens, phase === 'decode' ? 'all' : 'last'));
        return deps.nowMs() - beganMs;
      });
      // `adapt` always leaves one token to evaluate, hence one more than was held.
      restored = held.length > 0 && (await sequence.adapt([...held, 0])) === held.length;
      return elapsedMs;
    } finally {
      if (!restored) await sequence.reset();
    }
  };
}

/** Tokens from all over the vocabulary: a mixture of experts should not ask the same ones again and again. */
function spreadTokens(count: number, vocabularySize: number): number[] {
  return Array.from({ length: count }, (_, index) => ((index + 1) * 7_919) % vocabularySize);
}
