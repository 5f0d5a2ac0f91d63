import type { Principal } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { type Database, isOtherProcess, type Queries, type Tables } from '../storage/storage.ts';
import type { ItemAnswer } from './batch.ts';
import { endIfDone } from './batches.ts';
import { readPrincipal } from './rows.ts';

/** An item that this process has to itself, and nobody else. */
export interface LeasedItem {
  batchId: string;
  position: number;
  model: string;
  /** When its batch was made. */
  queuedAtMs: number;
  /** How often it was begun before and failed in a way that may pass. */
  attempts: number;
  principal: Principal;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** It may be asked for here and is asked for in the cloud, as it would be too late here. */
  isSpilled: boolean;
}

/** Which items are to be taken. */
export interface TakeWish {
  /**
   * Rather one of this model, of batches that were there then; `isBound`: of no other one. Null: of the model of whichever
   * waits longest.
   */
  stayAt: { model: string; sinceMs: number; isBound: boolean } | null;
  /** Only of these models; null: of any. */
  models: readonly string[] | null;
  /** Of none of these models, and of batches of none of these owners. */
  except: { models: readonly string[]; owners: readonly string[] };
}

/** What came of an item. */
export interface EndedItem {
  item: LeasedItem;
  requestId: string;
  answer: ItemAnswer;
}

/** How an item waits again. */
export interface PutBack {
  afterMs: number;
  /** It counts as a try. */
  failed: boolean;
  /** From now on by itself (`here`), and not in the cloud although it has spilled (`home`); left out: as before. */
  lane?: 'here' | 'home';
}

/** The items of all batches, for those who answer them. */
export interface Items {
  /** Takes one that nobody else has. Null: none is to be had now. */
  take(wish: TakeWish): Promise<LeasedItem | null>;
  /** Stores what came of one. False: somebody else has it by now, and nothing is stored. */
  finish(item: LeasedItem, requestId: string, answer: ItemAnswer): Promise<boolean>;
  /** The same of several, in one transaction. */
  finishAll(ended: readonly EndedItem[]): Promise<boolean[]>;
  /** It waits again, for `afterMs` at least; of a batch that is closed it is over. `failed`: counts as a try. */
  putBack(item: Pick<LeasedItem, 'batchId' | 'position'>, options: PutBack): Promise<void>;
  putBackAll(items: readonly Pick<LeasedItem, 'batchId' | 'position'>[], options: PutBack): Promise<void>;
  /** Says that this process still works on what it has. */
  renew(): Promise<void>;
  /** What processes had that are no more waits again. Returns how many there were. */
  recover(): Promise<number>;
  /** How many wait or run, in all batches. */
  open(): Promise<{ pending: number; running: number }>;
}

/** How long a process is believed to work on an item without another word; clocks of replicas differ by less. */
export const leaseMs = 60_000;
/** Looked at in turn, since another process may take the same. */
const candidates = 16;

type Key = Pick<Tables['batch_items'], 'batch_id' | 'position'>;

/** `owner`: name of this process among those that share the database, as `leaseOwner` makes it. */
export function createItems(deps: { database: Database; owner: string; clock: Pick<Clock, 'now'> }): Items {
  const { database, owner, clock } = deps;
  const nowMs = () => clock.now().getTime();

  const waiting = ({ models, except }: TakeWish) => {
    let query = database.tables
      .selectFrom('batch_items')
      .where('state', '=', 'pending')
      .where('lane', '!=', 'away')
      .where('not_before', '<=', BigInt(nowMs()))
      .where('batch_id', 'not in', (tables) =>
        tables
          .selectFrom('batches')
          .select('id')
          .where((batch) => {
            // Nobody was told yet that these are there.
            const isStoring = batch('state', '=', 'storing');
            if (except.owners.length === 0) return isStoring;
            return batch.or([isStoring, batch('state', '=', 'in_progress').and('owner', 'in', except.owners)]);
          }),
      );
    if (except.models.length > 0) query = query.where('model', 'not in', except.models);
    return models === null ? query : query.where('model', 'in', models);
  };
  /** Those of one model, by what they begin with, so that each prefix is computed once. */
  const nextOf = (wish: TakeWish, model: string, sinceMs: number | null) => {
    let query = waiting(wish).where('model', '=', model);
    if (sinceMs !== null) query = query.where('queued_at', '<=', BigInt(sinceMs));
    return query
      .select(['batch_id', 'position'])
      .orderBy('prefix')
      .orderBy('queued_at')
      .orderBy('batch_id')
      .orderBy('position')
      .limit(candidates)
      .execute();
  };
  const next = async (wish: TakeWish): Promise<Key[]> => {
    if (wish.models?.length === 0) return [];
    const { stayAt } = wish;
    const same = stayAt === null ? [] : await nextOf(wish, stayAt.model, stayAt.sinceMs);
    if (same.length > 0) return same;
    const oldest = await waiting(wish).select('model').orderBy('queued_at').limit(1).executeTakeFirst();
    if (oldest === undefined || (stayAt?.isBound && oldest.model !== stayAt.model)) return [];
    return nextOf(wish, oldest.model, null);
  };

  const items: Items = {
    async take(wish) {
      for (;;) {
        const keys = await next(wish);
        if (keys.length === 0) return null;
        for (const key of keys) {
          const leaseUntil = BigInt(nowMs() + leaseMs);
          const taken = await database.transaction(
            (tables) => lease(tables, key, { owner, leaseUntil, now: nowMs() }),
            {
              // Forgotten with the machine, it waits again, as it would anyway.
              durable: false,
            },
          );
          if (taken !== null) return taken;
        }
      }
    },
    finish: async (item, requestId, answer) => (await items.finishAll([{ item, requestId, answer }]))[0]!,
    finishAll: (ended) =>
      database.transaction(async (tables) => {
        const stored: boolean[] = [];
        for (const one of ended) stored.push(await storeResult(tables, one, { owner, now: BigInt(nowMs()) }));
        return stored;
      }),
    putBack: (item, how) => items.putBackAll([item], how),
    putBackAll: (some, { afterMs, ...how }) =>
      database.transaction(async (tables) => {
        for (const { batchId, position } of some) {
          const key = { batch_id: batchId, position: BigInt(position) };
          await release(tables, key, { owner, now: nowMs(), notBefore: nowMs() + afterMs, ...how });
        }
      }),
    async renew() {
      await database.transaction(
        (tables) =>
          tables
            .updateTable('batch_items')
            .set({ lease_until: BigInt(nowMs() + leaseMs) })
            .where('state', '=', 'running')
            .where('lease_owner', '=', owner)
            .execute(),
        { durable: false },
      );
    },
    async recover() {
      const running = await database.tables
        .selectFrom('batch_items')
        .select(['batch_id', 'position', 'lease_owner', 'lease_until'])
        .where('state', '=', 'running')
        .where('lease_owner', '!=', owner)
        // Those are at their provider, whoever sent them.
        .where('provider_batch', 'is', null)
        .execute();
      const lost = running.filter(
        ({ lease_owner: by, lease_until: until }) =>
          Number(until) <= nowMs() || (!database.isShared && !isOtherProcess(pidOf(by!))),
      );
      for (const { lease_owner: by, ...key } of lost) {
        await database.transaction((tables) =>
          release(tables, key, { owner: by!, now: nowMs(), notBefore: 0, failed: true }),
        );
      }
      return lost.length;
    },
    async open() {
      const rows = await database.tables
        .selectFrom('batch_items')
        .select(['state', ({ fn }) => fn.countAll<bigint>().as('count')])
        .where('state', 'in', ['pending', 'running'])
        .groupBy('state')
        .execute();
      const count = (state: string) => Number(rows.find((row) => row.state === state)?.count ?? 0);
      return { pending: count('pending'), running: count('running') };
    },
  };
  return items;
}

/** False: somebody else has it by now. */
async function storeResult(
  tables: Queries,
  { item, requestId, answer }: EndedItem,
  { owner, now }: { owner: string; now: bigint },
): Promise<boolean> {
  await lock(tables, item.batchId);
  const state = answer.status < 400 ? 'succeeded' : 'errored';
  const { numUpdatedRows } = await tables
    .updateTable('batch_items')
    .set({
      state,
      status: BigInt(answer.status),
      result: answer.body,
      request_id: requestId,
      ended_at: now,
      lease_owner: null,
      lease_until: null,
    })
    .where('batch_id', '=', item.batchId)
    .where('position', '=', BigInt(item.position))
    .where('state', '=', 'running')
    .where('lease_owner', '=', owner)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = answer.usage;
  await tables
    .updateTable('batches')
    .set((row) => ({
      [state]: row(state, '+', 1n),
      input_tokens: row('input_tokens', '+', BigInt(inputTokens)),
      cached_tokens: row('cached_tokens', '+', BigInt(cachedTokens)),
      output_tokens: row('output_tokens', '+', BigInt(outputTokens)),
      reasoning_tokens: row('reasoning_tokens', '+', BigInt(reasoningTokens)),
    }))
    .where('id', '=', item.batchId)
    .execute();
  await endIfDone(tables, item.batchId, now);
  return true;
}

/** Name of a process in leases. With its number, another process of the machine can see that it is no more. */
export function leaseOwner(instance: string): string {
  return `${process.pid}:${instance}`;
}

function pidOf(owner: string): number {
  return Number.parseInt(owner, 10);
}

/** Until the end of the transaction nobody else moves an item of the batch that runs. Returns what it is closed for. */
async function lock(tables: Queries, id: string): Promise<string | null> {
  const row = await tables
    .updateTable('batches')
    .set((batch) => ({ total: batch.ref('total') }))
    .where('id', '=', id)
    .returning('closing')
    .executeTakeFirst();
  return row?.closing ?? null;
}

/** Null: another process was faster. */
async function lease(
  tables: Queries,
  key: Key,
  { owner, leaseUntil, now }: { owner: string; leaseUntil: bigint; now: number },
): Promise<LeasedItem | null> {
  const batch = await tables
    .selectFrom('batches')
    .select(['rights', 'path', 'headers', 'started_at'])
    .where('id', '=', key.batch_id)
    .executeTakeFirst();
  if (batch === undefined) return null;
  // Before its item, as everyone writes them in this order.
  if (batch.started_at === null) {
    await tables
      .updateTable('batches')
      .set({ started_at: BigInt(now) })
      .where('id', '=', key.batch_id)
      .where('started_at', 'is', null)
      .execute();
  }
  const item = await tables
    .updateTable('batch_items')
    .set({ state: 'running', lease_owner: owner, lease_until: leaseUntil })
    .where('batch_id', '=', key.batch_id)
    .where('position', '=', key.position)
    .where('state', '=', 'pending')
    .returning(leasedColumns)
    .executeTakeFirst();
  return item === undefined ? null : toLeased(batch, item);
}

export const leasedColumns = ['batch_id', 'position', 'model', 'queued_at', 'attempts', 'body', 'spilled'] as const;

/** An item as it is asked for. One that has spilled asks the cloud, whatever its batch has said. */
export function toLeased(
  batch: Pick<Tables['batches'], 'rights' | 'path' | 'headers'>,
  item: Pick<Tables['batch_items'], (typeof leasedColumns)[number]>,
): LeasedItem {
  const isSpilled = item.spilled !== 0n;
  return {
    batchId: item.batch_id,
    position: Number(item.position),
    model: item.model,
    queuedAtMs: Number(item.queued_at),
    attempts: Number(item.attempts),
    principal: readPrincipal(batch.rights),
    path: batch.path,
    headers: { ...(JSON.parse(batch.headers) as Record<string, string>), ...(isSpilled && { 'x-cloud': 'require' }) },
    body: item.body,
    isSpilled,
  };
}

async function release(
  tables: Queries,
  key: Key,
  options: { owner: string; now: number; notBefore: number } & Omit<PutBack, 'afterMs'>,
): Promise<void> {
  const closing = await lock(tables, key.batch_id);
  const now = BigInt(options.now);
  const { numUpdatedRows } = await tables
    .updateTable('batch_items')
    .set((row) => ({
      lease_owner: null,
      lease_until: null,
      provider_batch: null,
      ...(options.lane && { lane: 'here', ...(options.lane === 'home' && { spilled: 0n }) }),
      ...(options.failed && { attempts: row('attempts', '+', 1n) }),
      ...(closing === null
        ? { state: 'pending', not_before: BigInt(options.notBefore) }
        : { state: closing, ended_at: now }),
    }))
    .where('batch_id', '=', key.batch_id)
    .where('position', '=', key.position)
    .where('state', '=', 'running')
    .where('lease_owner', '=', options.owner)
    .executeTakeFirst();
  if (numUpdatedRows === 0n || closing === null) return;
  const column = closing === 'expired' ? 'expired' : 'canceled';
  await tables
    .updateTable('batches')
    .set((row) => ({ [column]: row(column, '+', 1n) }))
    .where('id', '=', key.batch_id)
    .execute();
  await endIfDone(tables, key.batch_id, now);
}
