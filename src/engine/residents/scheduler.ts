import type { Clock } from '../../core/clock.ts';
import { AppError, toAppError } from '../../core/errors.ts';

/** The right to use one slot; `release` exactly once, when the worker is done with it. */
export interface Ticket {
  /** Time from the request for a slot to getting it. */
  readonly waitedMs: number;
  release(): void;
}

/** First come, first served queue in front of the slots of one resident model. */
export interface Scheduler {
  /**
   * Waits for a slot. Rejects with `queue_full` when too many wait already, with the signal's reason when the client
   * goes, and with the reason of `retire`.
   */
  acquire(signal: AbortSignal): Promise<Ticket>;
  readonly busySlots: number;
  readonly queueDepth: number;
  /** Rejects everyone who waits and everyone who comes; slots in use stay until released. */
  retire(reason: AppError): void;
}

interface Waiter {
  grant(): void;
  reject(error: AppError): void;
}

/** `onChange` runs whenever the number of busy slots or of waiters changed. */
export function createScheduler(deps: {
  slots: number;
  maxQueue: number;
  clock: Clock;
  onChange: () => void;
}): Scheduler {
  const waiters: Waiter[] = [];
  let busySlots = 0;
  let retired: AppError | null = null;

  const take = (sinceMs: number): Ticket => {
    busySlots++;
    let released = false;
    return {
      waitedMs: deps.clock.monotonicMs() - sinceMs,
      release() {
        if (released) return;
        released = true;
        busySlots--;
        waiters.shift()?.grant();
        deps.onChange();
      },
    };
  };

  return {
    acquire(signal) {
      const sinceMs = deps.clock.monotonicMs();
      if (retired) return Promise.reject(retired);
      if (signal.aborted) return Promise.reject(toAppError(signal.reason));
      if (busySlots < deps.slots) {
        const ticket = take(sinceMs);
        deps.onChange();
        return Promise.resolve(ticket);
      }
      if (waiters.length >= deps.maxQueue) {
        return Promise.reject(
          new AppError('queue_full', `${waiters.length} requests already wait for this model.`, {
            fix: 'Retry later, or load the model with more parallel slots.',
            retryAfterSeconds: 5,
            details: { queue_depth: waiters.length, slots: deps.slots },
          }),
        );
      }
      return new Promise<Ticket>((resolve, reject) => {
        const settle = () => signal.removeEventListener('abort', onAbort);
        const waiter: Waiter = {
          grant() {
            settle();
            resolve(take(sinceMs));
          },
          reject(error) {
            settle();
            reject(error);
          },
        };
        const onAbort = () => {
          waiters.splice(waiters.indexOf(waiter), 1);
          waiter.reject(toAppError(signal.reason));
          deps.onChange();
        };
        signal.addEventListener('abort', onAbort);
        waiters.push(waiter);
        deps.onChange();
      });
    },
    get busySlots() {
      return busySlots;
    },
    get queueDepth() {
      return waiters.length;
    },
    retire(reason) {
      retired = reason;
      for (const waiter of waiters.splice(0)) waiter.reject(reason);
    },
  };
}
