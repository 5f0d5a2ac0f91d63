import type { Clock } from '../../core/clock.ts';

/** Nobody reads progress faster than this. */
const leastGapMs = 250;

/** Lets few of many changes through. */
export interface ProgressGate {
  /** Whether the last change that passed is long enough ago; if so, this one counts as passed. */
  passes(): boolean;
}

export function progressGate(clock: Clock): ProgressGate {
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    passes() {
      const nowMs = clock.monotonicMs();
      if (nowMs - lastMs < leastGapMs) return false;
      lastMs = nowMs;
      return true;
    },
  };
}
