import type { Clock } from '../../src/core/clock.ts';

/** A clock that only moves when a test says so. Timers fire in order of their time, during `advance`. */
export interface ManualClock extends Clock {
  advance(milliseconds: number): void;
}

export function manualClock(start = new Date('2026-01-01T00:00:00Z')): ManualClock {
  let elapsedMs = 0;
  const timers = new Set<{ dueMs: number; everyMs: number | null; run: () => void }>();
  const add = (delayMs: number, everyMs: number | null, run: () => void) => {
    const timer = { dueMs: elapsedMs + delayMs, everyMs, run };
    timers.add(timer);
    return { cancel: () => void timers.delete(timer) };
  };
  return {
    monotonicMs: () => elapsedMs,
    now: () => new Date(start.getTime() + elapsedMs),
    after: (delayMs, run) => add(delayMs, null, run),
    every: (intervalMs, run) => add(intervalMs, intervalMs, run),
    advance(milliseconds) {
      const endMs = elapsedMs + milliseconds;
      while (true) {
        const next = [...timers].filter((timer) => timer.dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
        if (!next) break;
        elapsedMs = Math.max(elapsedMs, next.dueMs);
        if (next.everyMs === null) timers.delete(next);
        else next.dueMs += next.everyMs;
        next.run();
      }
      elapsedMs = endMs;
    },
  };
}
