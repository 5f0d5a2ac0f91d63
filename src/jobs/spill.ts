import type { Clock } from '../core/clock.ts';
import { type DailyHours, openMsBetween } from '../core/daily-hours.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';

/** Sees which items that may go to the cloud will not be answered here in time. */
export interface Spill {
  /** Sends them on their way. True: there were some. */
  look(): Promise<boolean>;
}

/** How fast this machine is says what it did in so long; with less than one of the others nothing is known yet. */
const measuredMs = 3_600_000;
const leastMs = 600_000;
const leastItems = 20;
/** Of the time that is left it is not reckoned with all. */
const usableShare = 0.9;
/** Providers promise their own batches within a day and give most within an hour: what has less goes by itself. */
const soonMs = 3_600_000;

/** `hours`: in which items are begun here; null: always. */
export function createSpill(deps: {
  database: Database;
  hours: () => DailyHours | null;
  clock: Pick<Clock, 'now'>;
  log: Pick<Logger, 'warn'>;
}): Spill {
  const { database, hours, clock, log } = deps;
  const { tables } = database;

  /** Batches that run and have items that may go, those that end first before the others. */
  const candidates = async () => {
    const some = await tables
      .selectFrom('batch_items')
      .select('batch_id')
      .distinct()
      .where('state', '=', 'pending')
      .where('lane', '=', 'either')
      .execute();
    if (some.length === 0) return [];
    return tables
      .selectFrom('batches')
      .select(['id', 'created_at', 'expires_at'])
      .where(
        'id',
        'in',
        some.map(({ batch_id: id }) => id),
      )
      .where('state', '=', 'in_progress')
      .where('closing', 'is', null)
      .orderBy('created_at')
      .execute();
  };
  /** Milliseconds of one item, as things go; null: nobody knows yet. */
  const pace = async (now: Date): Promise<number | null> => {
    const oldest = await tables
      .selectFrom('batches')
      .select(({ fn }) => fn.min('created_at').as('at'))
      .where('state', '=', 'in_progress')
      .executeTakeFirst();
    const from = new Date(Math.max(now.getTime() - measuredMs, Number(oldest?.at ?? now.getTime())));
    const done = await tables
      .selectFrom('batch_items')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('ended_at', '>=', BigInt(from.getTime()))
      .where('lane', '!=', 'away')
      .where('spilled', '=', 0n)
      .where('state', 'in', ['succeeded', 'errored'])
      .executeTakeFirst();
    const count = Number(done?.count ?? 0);
    const spentMs = openMsBetween(hours(), from, now);
    if (spentMs < leastMs && count < leastItems) return null;
    // Where nothing was done in all that time, one takes as long at least.
    return spentMs / Math.max(1, count);
  };
  const countOf = async (batchId: string, lane: 'either' | 'all', queuedAt: bigint): Promise<number> => {
    const waiting = tables
      .selectFrom('batch_items')
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .where('state', '=', 'pending');
    const row = await (lane === 'either'
      ? waiting.where('lane', '=', 'either').where('batch_id', '=', batchId)
      : waiting.where('lane', '!=', 'away').where('queued_at', '<=', queuedAt)
    ).executeTakeFirst();
    return Number(row?.count ?? 0);
  };
  /** The last ones of a batch: those before them are answered here meanwhile. */
  const spill = async (batchId: string, count: number, lane: 'here' | 'away'): Promise<number> => {
    const last = await tables
      .selectFrom('batch_items')
      .select('position')
      .where('batch_id', '=', batchId)
      .where('state', '=', 'pending')
      .where('lane', '=', 'either')
      .orderBy('position', 'desc')
      .offset(count - 1)
      .limit(1)
      .executeTakeFirst();
    if (last === undefined) return 0;
    const { numUpdatedRows } = await database.transaction((all) =>
      all
        .updateTable('batch_items')
        .set({ lane, spilled: 1n })
        .where('batch_id', '=', batchId)
        .where('state', '=', 'pending')
        .where('lane', '=', 'either')
        .where('position', '>=', last.position)
        .executeTakeFirst(),
    );
    return Number(numUpdatedRows);
  };

  return {
    async look() {
      const batches = await candidates();
      if (batches.length === 0) return false;
      const now = clock.now();
      const itemMs = await pace(now);
      if (itemMs === null) return false;
      let hasAny = false;
      for (const { id, created_at: createdAt, expires_at: expiresAt } of batches) {
        const either = await countOf(id, 'either', createdAt);
        const before = (await countOf(id, 'all', createdAt)) - either;
        const endsAt = new Date(Number(expiresAt));
        const fitting = Math.floor((openMsBetween(hours(), now, endsAt) * usableShare) / itemMs) - before;
        const tooMany = Math.min(either, either - fitting);
        if (tooMany <= 0) continue;
        const isSoon = endsAt.getTime() - now.getTime() < soonMs;
        const count = await spill(id, tooMany, isSoon ? 'here' : 'away');
        hasAny ||= count > 0;
        log.warn(
          { batch: id, count, itemMs: Math.round(itemMs) },
          'items will not be answered here in time, and go to the cloud',
        );
      }
      return hasAny;
    },
  };
}
