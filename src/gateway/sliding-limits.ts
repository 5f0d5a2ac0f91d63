import type { Clock } from '../core/clock.ts';

/** Most that may be taken; null: no limit. */
export interface Limits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestsPerDay: number | null;
}

export type Dimension = keyof Limits;

/** What is left of one limit. */
export interface LimitStatus {
  limit: number;
  remaining: number;
  /** Until all of it is there again, if nobody takes any more. */
  resetMs: number;
}

/** What is left of each limit; null: there is no such limit. */
export type LimitStatuses = Readonly<Record<Dimension, LimitStatus | null>>;

/** Something that has limits of its own: a provider, a key, an address. */
export interface Limited {
  id: string;
  limits: Limits;
}

/** A taking that all limits had room for. */
export interface Taken {
  /** Puts in its place what it was in the end; the last call counts. */
  settle(amount: { requests: number; tokens: number }): void;
}

/** The limit that had no room. */
export interface Shortage {
  of: Limited;
  dimension: Dimension;
  limit: number;
  /** Until there is room for as much in all of them, if nobody takes any more. */
  retryMs: number;
}

export type TakeResult = { taken: Taken } | { shortage: Shortage };

/**
 * Limits over sliding windows: what was taken counts for the length of its window, so that never more than the limit lies in any.
 * Counted in this process (`createSlidingLimits`), or for all replicas together (`createSharedLimits`).
 */
export interface SlidingLimits {
  /** Takes a request and its tokens from every limit of all of these, or nothing and tells which had no room. */
  take(all: readonly Limited[], tokens: number): TakeResult | Promise<TakeResult>;
  /** As it was last seen here. */
  status(of: Limited): LimitStatuses;
  /** Looks at what others have taken of these. */
  refresh(all: readonly Limited[]): Promise<void>;
  /** Forgets what was taken. */
  reset(id: string): Promise<void>;
}

/** Limits of this process alone, which need not be waited for; exact at every moment. */
export interface OwnLimits extends SlidingLimits {
  take(all: readonly Limited[], tokens: number): TakeResult;
}

/** How limits are reckoned; in the order in which they are looked at. */
export const dimensions: readonly {
  name: Dimension;
  windowMs: number;
  counts: 'requests' | 'tokens';
  words: string;
}[] = [
  { name: 'requestsPerMinute', windowMs: 60_000, counts: 'requests', words: 'requests in a minute' },
  { name: 'tokensPerMinute', windowMs: 60_000, counts: 'tokens', words: 'tokens in a minute' },
  { name: 'requestsPerDay', windowMs: 86_400_000, counts: 'requests', words: 'requests in a day' },
];

/** Beyond so many, those are dropped of which nothing counts any more. */
export const manyIds = 10_000;

export function createSlidingLimits(clock: Pick<Clock, 'monotonicMs'>): OwnLimits {
  const windowsOf = new Map<string, Map<Dimension, Window>>();

  const windowOf = (id: string, name: Dimension, windowMs: number): Window => {
    const windows = windowsOf.get(id) ?? new Map<Dimension, Window>();
    const window = windows.get(name) ?? createWindow(windowMs);
    windows.set(name, window);
    windowsOf.set(id, windows);
    return window;
  };
  const dropEmpty = (nowMs: number) => {
    for (const [id, windows] of windowsOf) {
      if ([...windows.values()].every((window) => window.sum(nowMs) === 0)) windowsOf.delete(id);
    }
  };

  return {
    take(all, tokens) {
      const nowMs = clock.monotonicMs();
      if (windowsOf.size > manyIds) dropEmpty(nowMs);
      const wanted = all.flatMap((of) =>
        dimensions.flatMap(({ name, windowMs, counts }) => {
          const limit = of.limits[name];
          if (limit === null) return [];
          // A request beyond the whole limit would never be let through; it is taken for all of it.
          const amount = counts === 'tokens' ? Math.min(limit, tokens) : 1;
          return [{ of, dimension: name, limit, counts, amount, window: windowOf(of.id, name, windowMs) }];
        }),
      );
      // Looked at before anything is taken, and nothing awaits between: all of them or none.
      const short = wanted.filter(({ window, amount, limit }) => window.sum(nowMs) + amount > limit);
      const [first] = short;
      if (first) {
        const waits = short.map(({ window, limit, amount }) => window.untilAtMost(limit - amount, nowMs));
        const { of, dimension, limit } = first;
        return { shortage: { of, dimension, limit, retryMs: Math.max(...waits) } };
      }
      const takings = wanted.map(({ window, counts, amount }) => ({
        window,
        counts,
        taking: window.add(amount, nowMs),
      }));
      return {
        taken: {
          settle(amount) {
            const atMs = clock.monotonicMs();
            for (const { window, counts, taking } of takings) window.change(taking, amount[counts], atMs);
          },
        },
      };
    },
    status({ id, limits }) {
      const nowMs = clock.monotonicMs();
      const statusOf = (name: Dimension): LimitStatus | null => {
        const limit = limits[name];
        if (limit === null) return null;
        const window = windowsOf.get(id)?.get(name);
        return {
          limit,
          remaining: Math.max(0, limit - (window?.sum(nowMs) ?? 0)),
          resetMs: window?.untilAtMost(0, nowMs) ?? 0,
        };
      };
      return {
        requestsPerMinute: statusOf('requestsPerMinute'),
        tokensPerMinute: statusOf('tokensPerMinute'),
        requestsPerDay: statusOf('requestsPerDay'),
      };
    },
    refresh: async () => {},
    async reset(id) {
      windowsOf.delete(id);
    },
  };
}

/** What was taken, and when. */
interface Taking {
  readonly atMs: number;
  amount: number;
}

type Window = ReturnType<typeof createWindow>;

/** What was taken within the last `windowMs`; every step costs the same, however much that is. */
function createWindow(windowMs: number) {
  // Oldest first; those before `head` have left.
  let takings: Taking[] = [];
  let head = 0;
  let total = 0;

  const drop = (nowMs: number) => {
    for (; head < takings.length && takings[head]!.atMs + windowMs <= nowMs; head++) total -= takings[head]!.amount;
    if (head < 1_024 || head * 2 < takings.length) return;
    takings = takings.slice(head);
    head = 0;
  };
  /** Asked with every answer, of windows of many thousands: it is the newest that counts. */
  const untilEmpty = (nowMs: number): number => {
    if (total === 0) return 0;
    const newest = takings.findLast(({ amount }) => amount !== 0)!;
    return Math.max(0, newest.atMs + windowMs - nowMs);
  };
  return {
    sum(nowMs: number): number {
      drop(nowMs);
      return total;
    },
    add(amount: number, nowMs: number): Taking {
      const taking = { atMs: nowMs, amount };
      takings.push(taking);
      total += amount;
      return taking;
    },
    /** Nothing, for what has left the window. */
    change(taking: Taking, amount: number, nowMs: number): void {
      drop(nowMs);
      if (taking.atMs + windowMs > nowMs) total += amount - taking.amount;
      taking.amount = amount;
    },
    /** Until so many of the oldest have left that at most `room` is taken. */
    untilAtMost(room: number, nowMs: number): number {
      drop(nowMs);
      if (room === 0) return untilEmpty(nowMs);
      let left = total;
      let waitMs = 0;
      for (let index = head; index < takings.length && left > room; index++) {
        const { atMs, amount } = takings[index]!;
        left -= amount;
        waitMs = Math.max(0, atMs + windowMs - nowMs);
      }
      return waitMs;
    },
  };
}
