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

/**
 * The queue in front of the slots of one resident model. Its owners are served in turn, and each of them in the order in which
 * its requests came: who asks for much does not hold up who asks for little.
 */
export interface Scheduler {
  /**
   * Waits for a slot. `owner`: who asks; left out: nobody in particular. `onPlace`: is told the place in the queue, 1 being the next, now and whenever it
   * changes; with the time until its turn as the last slots were held, null while none was given back yet. Rejects with
   * `queue_full` when too many wait already, with the signal's reason when the client goes, and with the reason of `retire`.
   * Where the queue is full and another owner has at least two more in it, that one's latest is rejected so instead.
   */
  acquire(signal: AbortSignal, onPlace?: OnPlace, owner?: string): Promise<Ticket>;
  readonly busySlots: number;
  readonly queueDepth: number;
  /** Rejects everyone who waits and everyone who comes; slots in use stay until released. */
  retire(reason: AppError): void;
}

interface Waiter {
  owner: string;
  /** It is served after all of an earlier turn: the first request of each owner, then the second of each, and so on. */
  turn: number;
  onPlace: OnPlace;
  grant(): void;
  reject(error: AppError): void;
}

/** What the latest hold of a slot counts among those before it. */
const holdWeight = 0.2;
/** What they are told who are refused while nobody knows how long slots are held. */
const unknownRetrySeconds = 5;
const longestRetrySeconds = 600;

/** `onChange` runs whenever the number of busy slots or of waiters changed. */
export function createScheduler(deps: {
  slots: number;
  maxQueue: number;
  clock: Clock;
  onChange: () => void;
}): Scheduler {
  // In the order in which they are served.
  const waiters: Waiter[] = [];
  /** That of whoever was served last. */
  let turn = 0;
  let busySlots = 0;
  let retired: AppError | null = null;
  /** How long slots were held lately; null: none was given back yet. */
  let usualHoldMs: number | null = null;

  const tellPlaces = () => {
    for (const [index, waiter] of waiters.entries()) {
      waiter.onPlace(index + 1, usualHoldMs === null ? null : (usualHoldMs * (index + 1)) / deps.slots);
    }
  };

  /** Served last of all that wait, it would be served then. */
  const refusal = () => {
    const waitMs = usualHoldMs === null ? null : (usualHoldMs * (waiters.length + 1)) / deps.slots;
    return new AppError('queue_full', `${waiters.length} requests already wait for this model.`, {
      fix: 'Retry later, or load the model with more parallel slots (models.parallel).',
      retryAfterSeconds:
        waitMs === null ? unknownRetrySeconds : Math.min(longestRetrySeconds, Math.max(1, Math.ceil(waitMs / 1_000))),
      details: { queue_depth: waiters.length, slots: deps.slots },
    });
  };
  const waitingOf = (owner: string) => waiters.filter((waiter) => waiter.owner === owner);
  /** The latest of the owner that has most in the queue; null: none has so many more than this one that it should give way. */
  const latestOfGreediest = (owner: string): Waiter | null => {
    const counts = new Map<string, number>();
    for (const waiter of waiters) counts.set(waiter.owner, (counts.get(waiter.owner) ?? 0) + 1);
    const most = Math.max(0, ...counts.values());
    if (most < (counts.get(owner) ?? 0) + 2) return null;
    return waiters.findLast((waiter) => counts.get(waiter.owner) === most) ?? null;
  };
  const leave = (waiter: Waiter) => void waiters.splice(waiters.indexOf(waiter), 1);
  const enter = (waiter: Waiter) => {
    const before = waiters.findLastIndex((other) => other.turn <= waiter.turn);
    waiters.splice(before + 1, 0, waiter);
  };
  const serveNext = () => {
    const next = waiters.shift();
    if (!next) return;
    turn = Math.max(turn, next.turn);
    next.grant();
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
        serveNext();
        tellPlaces();
        deps.onChange();
      },
    };
  };

  return {
    acquire(signal, onPlace = () => {}, owner = '') {
      const sinceMs = deps.clock.monotonicMs();
      if (retired) return Promise.reject(retired);
      if (signal.aborted) return Promise.reject(toAppError(signal.reason));
      if (busySlots < deps.slots) {
        const ticket = take(sinceMs);
        deps.onChange();
        return Promise.resolve(ticket);
      }
      if (waiters.length >= deps.maxQueue) {
        const displaced = latestOfGreediest(owner);
        if (displaced === null) return Promise.reject(refusal());
        const reason = refusal();
        leave(displaced);
        displaced.reject(reason);
      }
      return new Promise<Ticket>((resolve, reject) => {
        const settle = () => signal.removeEventListener('abort', onAbort);
        const waiter: Waiter = {
          owner,
          turn: Math.max(turn, ...waitingOf(owner).map((other) => other.turn)) + 1,
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
          leave(waiter);
          waiter.reject(toAppError(signal.reason));
          tellPlaces();
          deps.onChange();
        };
        signal.addEventListener('abort', onAbort);
        enter(waiter);
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
