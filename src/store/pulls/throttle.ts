import { type Clock, delay } from '../../core/clock.ts';

/** Shorter waits are saved up, so that a timer is not set for every piece. */
const shortestWaitMs = 50;

/** Holds all pulls together to a rate. */
export interface Throttle {
  /** Resolves when so many bytes more may arrive; rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** `bytesPerSecond` null: no limit. */
export function createThrottle(clock: Clock, bytesPerSecond: number | null): Throttle {
  /** When what was taken so far has passed at the given rate. */
  let paidUntilMs = 0;
  return {
    async take(bytes, signal) {
      if (bytesPerSecond === null) return;
      const nowMs = clock.monotonicMs();
      paidUntilMs = Math.max(nowMs, paidUntilMs) + (bytes / bytesPerSecond) * 1000;
      const aheadMs = paidUntilMs - nowMs;
      if (aheadMs >= shortestWaitMs) await delay(clock, aheadMs, signal);
    },
  };
}
