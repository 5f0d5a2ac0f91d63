import type { Clock, Timer } from '../../core/clock.ts';
import { longestDurationMs } from '../../core/parse-units.ts';

/** Waits for the end of a model's keep-alive time. */
interface IdleTimer {
  /** When it will end; null: it does not run. */
  readonly expiresAt: Date | null;
  /** Starts it anew; Infinity, and more than a hundred years: it never ends, and does not run. */
  start(delayMs: number): void;
  stop(): void;
}

export function createIdleTimer(deps: { clock: Clock; onExpired: () => void }): IdleTimer {
  const { clock } = deps;
  let running: { timer: Timer; expiresAt: Date } | null = null;
  const stop = () => {
    running?.timer.cancel();
    running = null;
  };
  return {
    get expiresAt() {
      return running?.expiresAt ?? null;
    },
    start(delayMs) {
      stop();
      if (delayMs > longestDurationMs) return;
      const expiresAt = new Date(clock.now().getTime() + delayMs);
      running = { timer: clock.after(delayMs, deps.onExpired), expiresAt };
    },
    stop,
  };
}
