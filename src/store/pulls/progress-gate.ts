import type { Clock, Timer } from '../../core/clock.ts';

/** Nobody reads progress faster than this. */
const leastGapMs = 250;

/** Tells few of many changes, and always the last one of a burst. */
interface ProgressGate {
  /** Something changed: told now, or with what else changes until the gap is over. */
  changed(): void;
  /** Nothing more is told. */
  close(): void;
}

export function createProgressGate(clock: Clock, tell: () => void): ProgressGate {
  let lastMs = Number.NEGATIVE_INFINITY;
  let pending: Timer | null = null;
  const tellNow = () => {
    pending = null;
    lastMs = clock.monotonicMs();
    tell();
  };
  return {
    changed() {
      if (pending !== null) return;
      const waitMs = lastMs + leastGapMs - clock.monotonicMs();
      if (waitMs <= 0) tellNow();
      else pending = clock.after(waitMs, tellNow);
    },
    close() {
      pending?.cancel();
      pending = null;
    },
  };
}
