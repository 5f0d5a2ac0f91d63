import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { type Database, isOtherProcess, type Queries, type Tables } from '../storage/storage.ts';
import { type LeasedItem, leasedColumns, toLeased } from './items.ts';

/** A batch at a provider, which this process has to itself. */
export interface AwayBatch {
  /** Ours. */
  id: string;
  batchId: string;
  state: 'gathering' | 'sending' | 'sent';
  /** Null: while it is gathered. */
  provider: string | null;
  /** By the provider's own name. */
  model: string | null;
  upstreamId: string | null;
  /** Whether that is ours for certain. */
  isCertain: boolean;
  /** Ids of the provider's that turned out to be others'. */
  others: readonly string[];
  items: number;
  sentAtMs: number | null;
  cancelledAtMs: number | null;
  polls: number;
  /** What becomes of items of its batch that nobody has answered; null: they are asked for again. */
  closing: 'canceled' | 'expired' | null;
}

/** What is kept of one beside the process that has it. */
type Changes = Partial<
  Pick<
    Tables['provider_batches'],
    | 'state'
    | 'provider'
    | 'model'
    | 'upstream_id'
    | 'is_certain'
    | 'others'
    | 'items'
    | 'estimate'
    | 'sent_at'
    | 'cancelled_at'
    | 'polls'
  >
>;

/** Batches at providers in the database, and the items that go with them. */
export interface AwayRows {
  /** Takes items that are to go with others: of one batch and one model. Null: there are none. */
  gather(most: { items: number; characters: number }): Promise<AwayBatch | null>;
  /** Those whose time has come, or whose batch is closed and not told so, and which nobody has. */
  due(): Promise<AwayBatch[]>;
  /** Keeps changes, and lets go of it until `nextAtMs`. */
  rest(away: AwayBatch, nextAtMs: number, changes?: Changes): Promise<void>;
  /** Keeps changes and holds on to it. `lost`: it is somebody else's by now; `closed`: its batch is, with `unlessClosed`. */
  keep(away: AwayBatch, changes: Changes, options?: { unlessClosed: boolean }): Promise<'kept' | 'lost' | 'closed'>;
  /** Its items that have no end, from a position on, a portion at a time; they are this process's. */
  open(away: AwayBatch, fromPosition: number): Promise<LeasedItem[]>;
  /** The same of these positions. */
  at(away: AwayBatch, positions: readonly number[]): Promise<LeasedItem[]>;
  /** Its items are this process's from here on. */
  claim(away: AwayBatch): Promise<void>;
  /** Forgets one that has no items any more, unless it is somebody else's by now. */
  remove(away: AwayBatch): Promise<void>;
  /** Ids of the provider's, of all of its batches. */
  upstreamIds(provider: string): Promise<string[]>;
  /** When the next of them is due, or an item that is to be sent, in milliseconds since 1970; null: there is none. */
  nextAtMs(): Promise<number | null>;
  /** What goes to providers for one batch now; null: nothing does. */
  shareOf(batchId: string): Promise<AwayShare | null>;
}

/** What of a batch is at providers, or on its way there. */
export interface AwayShare {
  items: number;
  /** The most that it may cost, in nano-USD; null: nobody knows. */
  mostNanoUsd: bigint | null;
}

/** As long as a process is believed to work on one without another word. */
const leaseMs = 300_000;
const dueAtOnce = 8;
const portion = 50;

/** `owner`: name of this process in leases. */
export function createAwayRows(deps: { database: Database; owner: string; clock: Pick<Clock, 'now'> }): AwayRows {
  const { database, owner, clock } = deps;
  const nowMs = () => clock.now().getTime();
  const leased = () => ({ lease_owner: owner, lease_until: BigInt(nowMs() + leaseMs) });
  const isFree = ({
    lease_owner: by,
    lease_until: until,
  }: Pick<Tables['provider_batches'], 'lease_owner' | 'lease_until'>) =>
    by === null ||
    Number(until) <= nowMs() ||
    (by !== owner && !database.isShared && !isOtherProcess(Number.parseInt(by, 10)));
  const openOf = ({ id, batchId }: AwayBatch, tables: Queries | Database['tables'] = database.tables) =>
    tables
      .selectFrom('batch_items')
      .select(leasedColumns)
      .where('batch_id', '=', batchId)
      .where('provider_batch', '=', id)
      .where('state', '=', 'running');
  const toItems = async (batchId: string, rows: Awaited<ReturnType<ReturnType<typeof openOf>['execute']>>) => {
    if (rows.length === 0) return [];
    const batch = await database.tables
      .selectFrom('batches')
      .select(['rights', 'path', 'headers'])
      .where('id', '=', batchId)
      .executeTakeFirst();
    return batch === undefined ? [] : rows.map((row) => toLeased(batch, row));
  };

  return {
    async gather(most) {
      // Mostly there are none, and nobody is held up to find that out.
      const some = await awayItems(database.tables, nowMs()).select('batch_id').limit(1).executeTakeFirst();
      if (some === undefined) return null;
      return database.transaction((tables) => gather(tables, { owner, nowMs: nowMs(), lease: leased(), most }));
    },
    async due() {
      const now = BigInt(nowMs());
      const rows = await database.tables
        .selectFrom('provider_batches')
        .leftJoin('batches', 'batches.id', 'provider_batches.batch_id')
        .selectAll('provider_batches')
        .select('batches.closing')
        .where((where) =>
          where.or([
            where('provider_batches.next_at', '<=', now),
            where.and([
              where('batches.closing', 'is not', null),
              where('provider_batches.cancelled_at', 'is', null),
              where('provider_batches.state', '=', 'sent'),
            ]),
          ]),
        )
        .orderBy('provider_batches.next_at')
        .limit(dueAtOnce)
        .execute();
      const mine: AwayBatch[] = [];
      for (const row of rows.filter(isFree)) {
        const { numUpdatedRows } = await database.transaction((tables) =>
          tables
            .updateTable('provider_batches')
            .set(leased())
            .where('id', '=', row.id)
            .where('lease_owner', row.lease_owner === null ? 'is' : '=', row.lease_owner)
            .executeTakeFirst(),
        );
        if (numUpdatedRows > 0n) mine.push(toAway(row));
      }
      return mine;
    },
    async rest({ id }, nextAtMs, changes = {}) {
      await database.transaction((tables) =>
        tables
          .updateTable('provider_batches')
          .set({ ...changes, next_at: BigInt(nextAtMs), lease_owner: null, lease_until: null })
          .where('id', '=', id)
          .where('lease_owner', '=', owner)
          .execute(),
      );
    },
    keep: ({ id, batchId }, changes, { unlessClosed } = { unlessClosed: false }) =>
      database.transaction(async (tables) => {
        // Its batch first, as whoever closes it does: either that comes before and is seen, or it sees this.
        const batch = await tables
          .updateTable('batches')
          .set((row) => ({ total: row.ref('total') }))
          .where('id', '=', batchId)
          .returning('closing')
          .executeTakeFirst();
        if (unlessClosed && (batch === undefined || batch.closing !== null)) return 'closed';
        const { numUpdatedRows } = await tables
          .updateTable('provider_batches')
          .set({ ...changes, ...leased() })
          .where('id', '=', id)
          .where('lease_owner', '=', owner)
          .executeTakeFirst();
        return numUpdatedRows > 0n ? 'kept' : 'lost';
      }),
    async open(away, fromPosition) {
      const rows = await openOf(away)
        .where('position', '>=', BigInt(fromPosition))
        .orderBy('position')
        .limit(portion)
        .execute();
      return toItems(away.batchId, rows);
    },
    async at(away, positions) {
      if (positions.length === 0) return [];
      return toItems(away.batchId, await openOf(away).where('position', 'in', positions.map(BigInt)).execute());
    },
    async claim({ id, batchId }) {
      await database.transaction((tables) =>
        tables
          .updateTable('batch_items')
          .set(leased())
          .where('batch_id', '=', batchId)
          .where('provider_batch', '=', id)
          .where('state', '=', 'running')
          .execute(),
      );
    },
    async remove({ id }) {
      await database.transaction((tables) =>
        tables.deleteFrom('provider_batches').where('id', '=', id).where('lease_owner', '=', owner).execute(),
      );
    },
    async upstreamIds(provider) {
      const rows = await database.tables
        .selectFrom('provider_batches')
        .select('upstream_id')
        .where('provider', '=', provider)
        .where('upstream_id', 'is not', null)
        .execute();
      return rows.map((row) => row.upstream_id!);
    },
    async nextAtMs() {
      const row = await database.tables
        .selectFrom('provider_batches')
        .select('next_at as at')
        .where('lease_owner', 'is', null)
        .orderBy('next_at')
        .limit(1)
        .executeTakeFirst();
      const item = await database.tables
        .selectFrom('batch_items')
        .select(({ fn }) => fn.min('not_before').as('at'))
        .where('state', '=', 'pending')
        .where('lane', '=', 'away')
        .executeTakeFirst();
      const times = [row?.at, item?.at].filter((at) => at !== undefined && at !== null);
      return times.length === 0 ? null : Math.min(...times.map(Number));
    },
    async shareOf(batchId) {
      const rows = await database.tables
        .selectFrom('provider_batches')
        .select(['items', 'estimate'])
        .where('batch_id', '=', batchId)
        .where('state', '!=', 'gathering')
        .execute();
      if (rows.length === 0) return null;
      const isKnown = rows.every(({ estimate }) => estimate !== null);
      return {
        items: rows.reduce((sum, row) => sum + Number(row.items), 0),
        mostNanoUsd: isKnown ? rows.reduce((sum, row) => sum + row.estimate!, 0n) : null,
      };
    },
  };
}

/** Those that are to go with others now. */
function awayItems(tables: Queries | Database['tables'], nowMs: number) {
  return tables
    .selectFrom('batch_items')
    .where('state', '=', 'pending')
    .where('lane', '=', 'away')
    .where('not_before', '<=', BigInt(nowMs));
}

async function gather(
  tables: Queries,
  {
    owner,
    nowMs,
    lease,
    most,
  }: {
    owner: string;
    nowMs: number;
    lease: { lease_owner: string; lease_until: bigint };
    most: { items: number; characters: number };
  },
): Promise<AwayBatch | null> {
  const waiting = awayItems(tables, nowMs);
  const first = await waiting
    // Nobody was told yet that those are there.
    .where('batch_id', 'not in', (all) => all.selectFrom('batches').select('id').where('state', '=', 'storing'))
    .select(['batch_id', 'model', 'spilled'])
    .orderBy('queued_at')
    .orderBy('batch_id')
    .orderBy('position')
    .limit(1)
    .executeTakeFirst();
  if (first === undefined) return null;
  const { batch_id: batchId } = first;
  await tables
    .updateTable('batches')
    .set((row) => ({ started_at: row.fn.coalesce('started_at', row.val(BigInt(nowMs))) }))
    .where('id', '=', batchId)
    .execute();
  const fitting = await waiting
    .where('batch_id', '=', batchId)
    .where('model', '=', first.model)
    .where('spilled', '=', first.spilled)
    .select(['position', ({ fn }) => fn<bigint>('length', ['body']).as('characters')])
    .orderBy('position')
    .limit(most.items)
    .execute();
  let characters = 0;
  // One that is larger than all goes by itself.
  const taken = fitting.filter((row, index) => {
    characters += Number(row.characters);
    return index === 0 || characters <= most.characters;
  });
  const last = taken.at(-1);
  if (last === undefined) return null;
  const id = `pb_${randomBytes(12).toString('hex')}`;
  const { numUpdatedRows } = await tables
    .updateTable('batch_items')
    .set({ state: 'running', provider_batch: id, ...lease })
    .where('batch_id', '=', batchId)
    .where('state', '=', 'pending')
    .where('lane', '=', 'away')
    .where('model', '=', first.model)
    .where('spilled', '=', first.spilled)
    .where('not_before', '<=', BigInt(nowMs))
    .where('position', '<=', last.position)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return null;
  const row: Tables['provider_batches'] = {
    id,
    batch_id: batchId,
    state: 'gathering',
    provider: null,
    model: null,
    upstream_id: null,
    is_certain: 1n,
    others: '[]',
    items: numUpdatedRows,
    estimate: null,
    sent_at: null,
    cancelled_at: null,
    polls: 0n,
    next_at: 0n,
    lease_owner: owner,
    lease_until: lease.lease_until,
  };
  await tables.insertInto('provider_batches').values(row).execute();
  return toAway({ ...row, closing: null });
}

function toAway(row: Tables['provider_batches'] & Pick<Tables['batches'], 'closing'>): AwayBatch {
  const numberOf = (value: bigint | null) => (value === null ? null : Number(value));
  return {
    id: row.id,
    batchId: row.batch_id,
    state: row.state as AwayBatch['state'],
    provider: row.provider,
    model: row.model,
    upstreamId: row.upstream_id,
    isCertain: row.is_certain !== 0n,
    others: JSON.parse(row.others) as string[],
    items: Number(row.items),
    sentAtMs: numberOf(row.sent_at),
    cancelledAtMs: numberOf(row.cancelled_at),
    polls: Number(row.polls),
    closing: row.closing as AwayBatch['closing'],
  };
}
