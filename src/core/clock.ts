import { abortable } from './abortable.ts';

/** A pending timer; `cancel` is safe to call more than once and after the timer has fired. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time in the server, so that tests can advance it by hand.
 * `monotonicMs` never goes backwards and measures durations, time-outs and limits.
 * `now` is wall time and only stamps records.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start, never decreasing. */
  monotonicMs(): number;
  /** Wall time. */
  now(): Date;
  /** Calls `run` once after `delayMs`. The timer never keeps the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `intervalMs`. The timer never keeps the process alive. */
  every(intervalMs: number, run: () => void): Timer;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  now: () => new Date(),
  after(delayMs, run) {
    // setTimeout holds a 32-bit delay; longer waits (a keep-alive of weeks) are cut into pieces.
    const maxDelayMs = 2 ** 31 - 1;
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number) => {
      handle = setTimeout(
        () => (leftMs > maxDelayMs ? arm(leftMs - maxDelayMs) : run()),
        Math.max(0, Math.min(leftMs, maxDelayMs)),
      );
      handle.unref();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  every(intervalMs, run) {
    const handle = setInterval(run, intervalMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
};

/** Resolves after `delayMs`; rejects with the signal's reason when that comes first. */
export function delay(clock: Pick<Clock, 'after'>, delayMs: number, signal: AbortSignal): Promise<void> {
  return abortable(signal, (resolve) => clock.after(delayMs, resolve).cancel);
}

/** What `asked` resolves to; `otherwise`, where it rejects or takes longer than `mostMs`. */
export function within<Result, Otherwise>(
  clock: Pick<Clock, 'after'>,
  mostMs: number,
  asked: Promise<Result>,
  otherwise: Otherwise,
): Promise<Result | Otherwise> {
  return new Promise((resolve) => {
    const timer = clock.after(mostMs, () => resolve(otherwise));
    asked.then(resolve, () => resolve(otherwise)).finally(() => timer.cancel());
  });
}
