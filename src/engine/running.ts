import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';

/** The requests that run, and how they end when the server does. */
interface Running {
  /** Counts a request as running until the returned function is called; throws `shutting_down` when the server drains. */
  enter(): () => void;
  /** Throws `shutting_down` when the server drains. */
  refuseWhenDraining(): void;
  isDraining(): boolean;
  /** Aborted when the deadline of the drain has passed. */
  ended: AbortSignal;
  /** Refuses new work from now on; resolves when no request runs, those that still do after `deadlineMs` being ended. */
  drain(deadlineMs: number): Promise<void>;
}

export function createRunning(clock: Pick<Clock, 'after'>): Running {
  const ended = new AbortController();
  let draining = false;
  let running = 0;
  let idle = Promise.withResolvers<void>();

  const refuseWhenDraining = () => {
    if (draining) throw new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });
  };

  return {
    enter() {
      refuseWhenDraining();
      running++;
      return () => {
        running--;
        if (running > 0) return;
        idle.resolve();
        idle = Promise.withResolvers<void>();
      };
    },
    refuseWhenDraining,
    isDraining: () => draining,
    ended: ended.signal,
    async drain(deadlineMs) {
      draining = true;
      if (running === 0) return;
      const allEnded = idle.promise;
      const deadline = clock.after(deadlineMs, () => {
        ended.abort(
          new AppError('shutting_down', 'The server is shutting down and ended this answer.', { retryAfterSeconds: 5 }),
        );
      });
      await allEnded;
      deadline.cancel();
    },
  };
}
