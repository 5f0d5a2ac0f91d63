import type { Clock } from '../../core/clock.ts';
import { AppError, toAppError } from '../../core/errors.ts';

/** The right to use one slot; `release` exactly once, when the worker is done with it. */
export interface Ticket {
  /** Time from the request for a slot to getting it. */
  readonly waitedMs: number;
  release(): void;
}

/** Is told a place in a queue, 1 being the next, and the time until its turn; null: it cannot be told. */
export type OnPlace = (place: number, estimateMs: number | null) => void;

/** First come, first served queue in front of the slots of one resident model. */
export interface Scheduler {
  /**
   * Waits for a slot. `onPlace`: is told the place in the queue, 1 being the next, now and whenever it changes; with the
   * time until its turn as the last slots were held, null while none was given back yet. Rejects with `queue_full` when too many wait already, with the signal's reason when the client
   * goes, and with the reason of `retire`.
   */
  acquire(signal: AbortSignal, onPlace?: OnPlace): Promise<Ticket>;
  readonly busySlots: number;
  readonly queueDepth: number;
  /** Rejects everyone who waits and everyone who comes; slots in use stay until released. */
  retire(reason: AppError): void;
}

interface Waiter {
  onPlace: OnPlace;
  grant(): void;
  reject(error: AppError): void;
}

/** What the latest hold of a slot counts among those before it. */
const holdWeight = 0.2;

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
  /** How long slots were held lately; null: none was given back yet. */
  let usualHoldMs: number | null = null;

  const tellPlaces = () => {
    for (const [index, waiter] of waiters.entries()) {
      waiter.onPlace(index + 1, usualHoldMs === null ? null : (usualHoldMs * (index + 1)) / deps.slots);
    }
  };

  const take = (sinceMs: number): Ticket => {
    busySlots++;
    let released = false;
    const takenMs = deps.clock.monotonicMs();
    return {
      waitedMs: takenMs - sinceMs,
      release() {
        if (released) return;
        released = true;
        busySlots--;
        const holdMs = deps.clock.monotonicMs() - takenMs;
        usualHoldMs = usualHoldMs === null ? holdMs : usualHoldMs + (holdMs - usualHoldMs) * holdWeight;
        waiters.shift()?.grant();
        tellPlaces();
        deps.onChange();
      },
    };
  };

  return {
    acquire(signal, onPlace = () => {}) {
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
            fix: 'Retry later, or load the model with more parallel slots (models.parallel).',
            retryAfterSeconds: 5,
            details: { queue_depth: waiters.length, slots: deps.slots },
          }),
        );
      }
      return new Promise<Ticket>((resolve, reject) => {
        const settle = () => signal.removeEventListener('abort', onAbort);
        const waiter: Waiter = {
          onPlace,
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
          tellPlaces();
          deps.onChange();
        };
        signal.addEventListener('abort', onAbort);
        waiters.push(waiter);
        tellPlaces();
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
