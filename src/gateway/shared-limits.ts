import { sql } from 'kysely';
import { type Clock, type Timer, within } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';
import {
  createSlidingLimits,
  type Dimension,
  dimensions,
  type Limited,
  type LimitStatus,
  type LimitStatuses,
  manyIds,
  type Shortage,
  type SlidingLimits,
  type TakeResult,
} from './sliding-limits.ts';

/** Slices by which windows move; those of `hearth_take` in the database. */
const sliceMsOf: Readonly<Record<Dimension, number>> = {
  requestsPerMinute: 1_000,
  tokensPerMinute: 1_000,
  requestsPerDay: 300_000,
};
/** Who has waited so long for the database goes on without it. */
const patienceMs = 2_000;
/** So long nobody asks it then. */
const restMs = 1_000;
/** What is settled waits so long for more of it. */
const lingerMs = 50;
const cleanMs = 60_000;

/** What `hearth_take` tells. */
interface Told {
  hadRoom: boolean;
  nowMs: number;
  used: Used[];
  slices: Slice[];
}

/** What was taken of one subject in its windows before, and when the newest slices of it began. */
interface Used {
  minute: number;
  minuteTokens: number;
  day: number;
  newestMinute: number | null;
  newestDay: number | null;
}

interface Slice {
  subject: string;
  sliceMs: number;
  startsAt: number;
  requests: number;
  tokens: number;
}

/** As of a moment: how much is taken, and until when any of it counts, by the clock of this process. */
type Seen = Record<Dimension, { used: number; untilMs: number }>;

/**
 * Limits that all processes of one database take from together, in one call to it. Windows move by slices (a second, and five
 * minutes for a day), of which each counts as long as anything of it may: never more is let through than the limit. `name`: tells
 * those of clients from those of providers. Where the database does not answer, each process counts for itself what it lets
 * through, until it does.
 * `givenNowMs`: the time for tests; left out: that of the database.
 */
export function createSharedLimits(deps: {
  database: Database;
  name: string;
  clock: Pick<Clock, 'monotonicMs' | 'after' | 'every'>;
  log: Pick<Logger, 'warn'>;
  givenNowMs?: () => number;
}): SlidingLimits & { close(): Promise<void> } {
  const { database, name, clock, log } = deps;
  const own = createSlidingLimits(clock);
  let restsUntilMs = Number.NEGATIVE_INFINITY;
  const seenOf = new Map<string, Seen>();
  const settling = createSettling(deps);
  /** Null: that of the database. */
  const now = () => (deps.givenNowMs === undefined ? null : BigInt(deps.givenNowMs()));
  const subjectOf = (id: string) => `${name} ${id}`;

  const see = (all: readonly Limited[], told: Told, taken: { requests: number; tokens: readonly number[] }) => {
    const nowMs = clock.monotonicMs();
    if (seenOf.size > manyIds) seenOf.clear();
    for (const [index, { id }] of all.entries()) {
      const used = told.used[index]!;
      const isTaken = told.hadRoom && taken.requests > 0;
      const untilMs = (newest: number | null, dimension: Dimension, windowMs: number) => {
        const startsAt = isTaken ? sliceOf(told.nowMs, dimension) : newest;
        return startsAt === null ? 0 : nowMs + startsAt + sliceMsOf[dimension] + windowMs - told.nowMs;
      };
      const more = isTaken ? taken.requests : 0;
      seenOf.set(subjectOf(id), {
        requestsPerMinute: {
          used: used.minute + more,
          untilMs: untilMs(used.newestMinute, 'requestsPerMinute', 60_000),
        },
        tokensPerMinute: {
          used: used.minuteTokens + (isTaken ? taken.tokens[index]! : 0),
          untilMs: untilMs(used.newestMinute, 'tokensPerMinute', 60_000),
        },
        requestsPerDay: { used: used.day + more, untilMs: untilMs(used.newestDay, 'requestsPerDay', 86_400_000) },
      });
    }
  };
  const ask = async (all: readonly Limited[], requests: number, tokens: readonly number[]): Promise<Told> => {
    const wanted = all.map(({ id, limits }, index) => ({
      subject: subjectOf(id),
      requests,
      tokens: tokens[index],
      limits: { minute: limits.requestsPerMinute, minuteTokens: limits.tokensPerMinute, day: limits.requestsPerDay },
    }));
    const { rows } = await sql<{ told: Told }>`
      SELECT hearth_take(${JSON.stringify(wanted)}::JSONB, ${now()}::BIGINT) AS told
    `.execute(database.tables);
    const { told } = rows[0]!;
    see(all, told, { requests, tokens });
    return told;
  };
  /** Null where the database did not answer; after that it is left alone for a while. */
  const patiently = async (act: () => Promise<Told>): Promise<Told | null> => {
    if (clock.monotonicMs() < restsUntilMs) return null;
    const asked = act().catch((err: unknown) => {
      // That it is away the pool has said.
      if (!(err instanceof AppError)) log.warn({ err }, 'limits could not be counted with the other replicas');
      throw err;
    });
    const told = await within(clock, patienceMs, asked, null);
    if (told === null) restsUntilMs = clock.monotonicMs() + restMs;
    return told;
  };
  const settlerOf = (all: readonly Limited[], told: Told, tokens: readonly number[]) => {
    let last = { requests: 1, tokens };
    return (amount: { requests: number; tokens: number }) => {
      for (const [index, { id }] of all.entries()) {
        const subject = subjectOf(id);
        const requests = amount.requests - last.requests;
        const more = amount.tokens - last.tokens[index]!;
        const seen = seenOf.get(subject);
        if (seen) {
          seen.requestsPerMinute.used += requests;
          seen.requestsPerDay.used += requests;
          seen.tokensPerMinute.used += more;
        }
        for (const sliceMs of new Set(Object.values(sliceMsOf))) {
          settling.add({ subject, sliceMs, startsAt: told.nowMs - (told.nowMs % sliceMs), requests, tokens: more });
        }
      }
      last = { requests: amount.requests, tokens: all.map(() => amount.tokens) };
    };
  };
  const cleaning = clock.every(cleanMs, () => {
    clean(database, now()).catch((err: unknown) => log.warn({ err }, 'old takings of limits cannot be removed'));
  });

  return {
    async take(all, tokens): Promise<TakeResult> {
      // Of a request beyond the whole limit all of it is taken, as it would never be let through.
      const perSubject = all.map(({ limits }) => Math.min(limits.tokensPerMinute ?? tokens, tokens));
      // Counted here too, for a time in which the database is away.
      const ofOwn = own.take(all, tokens);
      const told = await patiently(() => ask(all, 1, perSubject));
      if (told === null) return ofOwn;
      if (!told.hadRoom) {
        if ('taken' in ofOwn) ofOwn.taken.settle({ requests: 0, tokens: 0 });
        return { shortage: shortageOf(all, told, perSubject, subjectOf) };
      }
      const settle = settlerOf(all, told, perSubject);
      return {
        taken: {
          settle(amount) {
            settle(amount);
            if ('taken' in ofOwn) ofOwn.taken.settle(amount);
          },
        },
      };
    },
    status(of) {
      const seen = seenOf.get(subjectOf(of.id));
      return seen ? statusesOf(of, seen, clock.monotonicMs()) : own.status(of);
    },
    async refresh(all) {
      const nothing = all.map(() => 0);
      if (all.length > 0) await patiently(() => ask(all, 0, nothing));
    },
    async reset(id) {
      await own.reset(id);
      seenOf.delete(subjectOf(id));
      await database.transaction(async (queries) => {
        await queries.deleteFrom('limit_takings').where('subject', '=', subjectOf(id)).execute();
      });
    },
    async close() {
      cleaning.cancel();
      await settling.close();
    },
  };
}

function sliceOf(nowMs: number, dimension: Dimension): number {
  return nowMs - (nowMs % sliceMsOf[dimension]);
}

function statusesOf({ limits }: Limited, seen: Seen, nowMs: number): LimitStatuses {
  const of = (name: Dimension): LimitStatus | null => {
    const limit = limits[name];
    if (limit === null) return null;
    const { used, untilMs } = seen[name];
    const isOver = untilMs <= nowMs;
    return { limit, remaining: isOver ? limit : Math.max(0, limit - used), resetMs: isOver ? 0 : untilMs - nowMs };
  };
  return {
    requestsPerMinute: of('requestsPerMinute'),
    tokensPerMinute: of('tokensPerMinute'),
    requestsPerDay: of('requestsPerDay'),
  };
}

/** The first limit that had no room, and the wait until all have it. */
function shortageOf(
  all: readonly Limited[],
  { nowMs, slices }: Told,
  tokens: readonly number[],
  subjectOf: (id: string) => string,
): Shortage {
  const short = all.flatMap((of, index) =>
    dimensions.flatMap(({ name, windowMs, counts }) => {
      const limit = of.limits[name];
      if (limit === null) return [];
      const amount = counts === 'tokens' ? tokens[index]! : 1;
      const sliceMs = sliceMsOf[name];
      const own = slices.filter((slice) => slice.subject === subjectOf(of.id) && slice.sliceMs === sliceMs);
      let left = own.reduce((sum, slice) => sum + slice[counts], 0);
      let retryMs = 0;
      if (left + amount <= limit) return [];
      for (const { startsAt, [counts]: taken } of own) {
        if (left + amount <= limit) break;
        left -= taken;
        retryMs = startsAt + sliceMs + windowMs - nowMs;
      }
      return [{ of, dimension: name, limit, retryMs }];
    }),
  );
  const [first] = short;
  if (!first) throw new Error('no limit was short of room');
  return { ...first, retryMs: Math.max(...short.map(({ retryMs }) => retryMs)) };
}

/** Sends what was settled, many changes at a time. */
function createSettling({
  database,
  clock,
  log,
}: {
  database: Database;
  clock: Pick<Clock, 'after'>;
  log: Pick<Logger, 'warn'>;
}) {
  let waiting = new Map<string, Slice>();
  let timer: Timer | null = null;
  let sending: Promise<void> = Promise.resolve();

  const send = async () => {
    const changes = [...waiting.values()].filter(({ requests, tokens }) => requests !== 0 || tokens !== 0);
    waiting = new Map();
    if (changes.length === 0) return;
    try {
      await sql`SELECT hearth_settle(${JSON.stringify(changes)}::JSONB)`.execute(database.tables);
    } catch (err) {
      // The estimates stay, until they leave their windows.
      log.warn({ err }, 'limits could not be settled');
    }
  };
  const flush = () => {
    timer?.cancel();
    timer = null;
    sending = sending.then(send);
    return sending;
  };
  return {
    add(change: Slice): void {
      const key = JSON.stringify([change.subject, change.sliceMs, change.startsAt]);
      const known = waiting.get(key);
      waiting.set(key, {
        ...change,
        requests: change.requests + (known?.requests ?? 0),
        tokens: change.tokens + (known?.tokens ?? 0),
      });
      timer ??= clock.after(lingerMs, () => void flush());
    },
    close: flush,
  };
}

/** Removes slices of which nothing counts any more; those that somebody else removes are left to them. */
async function clean(database: Database, givenNowMs: bigint | null): Promise<void> {
  const nowMs = givenNowMs === null ? database.nowMs : sql`${givenNowMs}::BIGINT`;
  await sql`
    DELETE FROM limit_takings WHERE (subject, slice_ms, starts_at) IN (
      SELECT subject, slice_ms, starts_at FROM limit_takings
      WHERE (slice_ms = 1000 AND starts_at < ${nowMs} - 120000)
        OR (slice_ms = 300000 AND starts_at < ${nowMs} - 90000000)
      LIMIT 10000 FOR UPDATE SKIP LOCKED
    )
  `.execute(database.tables);
}
