import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Database, Queries, Tables } from '../storage/storage.ts';
import { type Batch, type BatchWish, type ItemResult, type Lane, type LaneOf, type NewItem, noUsage } from './batch.ts';
import { toBatch, writePrincipal } from './rows.ts';
import { addWebhook } from './webhooks.ts';

/** A page of batches, the newest first. */
export interface BatchPage {
  batches: Batch[];
  hasMore: boolean;
}

/** Whose batches are seen; those of others are as unknown as those that never were. */
export interface BatchScope {
  /** Null: of whoever made them. */
  owner: string | null;
  /** Left out: of whichever API. */
  api?: string;
}

/** The batches of the database, for those who made them. */
export interface Batches {
  /**
   * Stores a batch with all of its items, or nothing: once it resolves, no end of the process loses one. `isNew` is false where
   * its key was given before with the same request. Throws `idempotency_key_reused` and `idempotency_key_in_use`.
   */
  create(wish: BatchWish): Promise<{ batch: Batch; isNew: boolean }>;
  /** Null: there is none. */
  find(id: string, scope: BatchScope): Promise<Batch | null>;
  /** Those after `after` or right before `before`, or the first. Null: the batch that is named there is not there. */
  list(scope: BatchScope, page: { limit: number; after?: string; before?: string }): Promise<BatchPage | null>;
  /** What runs is finished, what has not begun is not asked for. One that has ended stays as it is. Null: there is none. */
  cancel(id: string, scope: BatchScope): Promise<Batch | null>;
  /** Forgets one that has ended. False: it has not; null: there is none. */
  remove(id: string, scope: BatchScope): Promise<boolean | null>;
  /** Results so far, in the order of the items, a portion at a time. */
  results(id: string): AsyncIterable<ItemResult[]>;
  /** Ends what is beyond its time, and forgets a portion of what is old. True: there is more to be forgotten. */
  tidy(keepMs: number): Promise<boolean>;
}

/** Rows and characters of one transaction: it holds up everything else of the process. */
const rowsAtOnce = 50;
const charactersAtOnce = 512 * 1024;
/** Results that are read at a time. */
const resultsAtOnce = 50;
const removedAtOnce = 500;
const tidiedAtOnce = 20;
/** A process that stores a batch says so as often as it stores a portion. */
const storingMs = 60_000;

/** `owner`: name of this process in leases. */
export function createBatches(deps: {
  database: Database;
  owner: string;
  clock: Pick<Clock, 'now'>;
  /** Left out: all of them are asked for here. */
  laneOf?: LaneOf;
}): Batches {
  const { database, clock, laneOf = () => 'here' } = deps;
  const nowMs = () => BigInt(clock.now().getTime());

  /** Those that the scope may see. */
  const seen = (tables: Queries | Database['tables'], { owner, api }: BatchScope) => {
    let query = tables.selectFrom('batches').selectAll().where('state', 'not in', ['storing', 'deleted']);
    if (owner !== null) query = query.where('owner', '=', owner);
    return api === undefined ? query : query.where('api', '=', api);
  };
  const rowOf = async (tables: Queries | Database['tables'], id: string, scope: BatchScope) =>
    (await seen(tables, scope).where('id', '=', id).executeTakeFirst()) ?? null;

  return {
    async create(wish) {
      const now = nowMs();
      const row = rowFor(wish, { now, leaseOwner: deps.owner });
      const known = await database.transaction((tables) => begin(tables, row, wish));
      if (known !== null) return { batch: toBatch(known), isNew: false };
      let total = 0;
      const models = new Set<string>();
      for await (const portion of portionsOf(wish.items)) {
        total += portion.length;
        for (const { model } of portion) models.add(model);
        // Lost with the rest, if at all: what is written last waits for the disk, and so for all before it.
        const placed = portion.map((item) => ({ ...item, lane: laneOf(wish, item) }));
        await database.transaction((tables) => addItems(tables, { ...row, lease_until: nowMs() }, placed), {
          durable: false,
        });
      }
      const stored = await database.transaction(async (tables) => {
        const updated = await tables
          .updateTable('batches')
          .set({
            lease_owner: null,
            lease_until: null,
            total: BigInt(total),
            models: JSON.stringify([...models]),
            ...(total === 0 ? { state: 'ended', ended_at: now } : { state: 'in_progress' }),
          })
          .where('id', '=', row.id)
          .where('state', '=', 'storing')
          .returningAll()
          .executeTakeFirst();
        if (updated && wish.webhook) await addWebhook(tables, row.id, wish.webhook.url);
        return updated;
      });
      if (stored === undefined) throw new AppError('storage_unavailable', 'The batch took too long to be stored.');
      return { batch: toBatch(stored), isNew: true };
    },
    async find(id, scope) {
      const row = await rowOf(database.tables, id, scope);
      return row && toBatch(row);
    },
    async list(scope, { limit, after, before }) {
      const named = after ?? before;
      const edge = named === undefined ? null : await rowOf(database.tables, named, scope);
      if (named !== undefined && edge === null) return null;
      const isBefore = after === undefined && before !== undefined;
      const [beyond, order] = isBefore ? (['>', 'asc'] as const) : (['<', 'desc'] as const);
      let query = seen(database.tables, scope);
      if (edge !== null) {
        query = query.where((where) =>
          where.or([
            where('created_at', beyond, edge.created_at),
            where.and([where('created_at', '=', edge.created_at), where('id', beyond, edge.id)]),
          ]),
        );
      }
      const rows = await query
        .orderBy('created_at', order)
        .orderBy('id', order)
        .limit(limit + 1)
        .execute();
      const page = rows.slice(0, limit).map(toBatch);
      return { batches: isBefore ? page.reverse() : page, hasMore: rows.length > limit };
    },
    cancel: (id, scope) =>
      database.transaction(async (tables) => {
        const found = await rowOf(tables, id, scope);
        if (found === null) return null;
        await closeBatch(tables, id, 'canceled', nowMs());
        const row = await rowOf(tables, id, scope);
        return row && toBatch(row);
      }),
    remove: (id, scope) =>
      database.transaction(async (tables) => {
        const found = await rowOf(tables, id, scope);
        if (found === null) return null;
        if (found.state !== 'ended') return false;
        await forget(tables, [id]);
        return true;
      }),
    async *results(id) {
      for (let next = 0n; ; ) {
        const rows = await database.tables
          .selectFrom('batch_items')
          .select(['position', 'custom_id', 'state', 'status', 'result', 'request_id'])
          .where('batch_id', '=', id)
          .where('position', '>=', next)
          .where('state', 'not in', ['pending', 'running'])
          .orderBy('position')
          .limit(resultsAtOnce)
          .execute();
        if (rows.length === 0) return;
        yield rows.map(toResult);
        next = rows.at(-1)!.position + 1n;
      }
    },
    tidy: (keepMs) => tidy(deps, keepMs),
  };
}

function rowFor(wish: BatchWish, { now, leaseOwner }: { now: bigint; leaseOwner: string }): Tables['batches'] {
  return {
    id: `${wish.idPrefix}${randomBytes(16).toString('hex')}`,
    owner: wish.owner.id,
    rights: writePrincipal(wish.owner),
    api: wish.api,
    path: wish.path,
    headers: JSON.stringify(wish.headers),
    state: 'storing',
    closing: null,
    total: 0n,
    succeeded: 0n,
    errored: 0n,
    canceled: 0n,
    expired: 0n,
    input_tokens: BigInt(noUsage.inputTokens),
    cached_tokens: 0n,
    output_tokens: 0n,
    reasoning_tokens: 0n,
    models: '[]',
    notes: JSON.stringify(wish.notes),
    created_at: now,
    started_at: null,
    expires_at: now + BigInt(wish.expiresInMs),
    cancelled_at: null,
    ended_at: null,
    finished_at: null,
    archived_at: null,
    idempotency_key: wish.idempotency?.key ?? null,
    fingerprint: wish.idempotency?.fingerprint ?? null,
    lease_owner: leaseOwner,
    lease_until: now + BigInt(storingMs),
  };
}

/** Takes the place of a batch, or returns the one that has its key already. */
async function begin(tables: Queries, row: Tables['batches'], { idempotency }: BatchWish) {
  const inserted = await tables
    .insertInto('batches')
    .values(row)
    .onConflict((conflict) => conflict.columns(['owner', 'idempotency_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted !== undefined || idempotency === null) return null;
  const known = await tables
    .selectFrom('batches')
    .selectAll()
    .where('owner', '=', row.owner)
    .where('idempotency_key', '=', idempotency.key)
    .executeTakeFirstOrThrow();
  const field = 'Idempotency-Key';
  if (known.fingerprint !== idempotency.fingerprint || known.api !== row.api) {
    throw new AppError('idempotency_key_reused', `This ${field} was given with another request.`, {
      field,
      fix: 'Give each request a key of its own.',
    });
  }
  if (known.state === 'storing') {
    throw new AppError('idempotency_key_in_use', `The first request with this ${field} is still answered.`, {
      field,
      retryAfterSeconds: 1,
    });
  }
  return known;
}

type Numbered = NewItem & { position: number };

async function* portionsOf(items: BatchWish['items']): AsyncGenerator<Numbered[]> {
  let portion: Numbered[] = [];
  let characters = 0;
  let position = 0;
  for await (const item of items) {
    portion.push({ ...item, position: position++ });
    characters += item.body.length;
    if (portion.length < rowsAtOnce && characters < charactersAtOnce) continue;
    yield portion;
    portion = [];
    characters = 0;
  }
  if (portion.length > 0) yield portion;
}

async function addItems(
  tables: Queries,
  batch: Tables['batches'],
  items: readonly (Numbered & { lane: Lane })[],
): Promise<void> {
  await tables
    .updateTable('batches')
    .set({ lease_until: batch.lease_until! + BigInt(storingMs) })
    .where('id', '=', batch.id)
    .execute();
  const rows = items.map(({ position, customId, body, model, prefix, lane }): Tables['batch_items'] => ({
    batch_id: batch.id,
    position: BigInt(position),
    custom_id: customId,
    body,
    model,
    prefix,
    queued_at: batch.created_at,
    not_before: 0n,
    attempts: 0n,
    state: 'pending',
    lease_owner: null,
    lease_until: null,
    request_id: null,
    status: null,
    result: null,
    ended_at: null,
    lane,
    spilled: 0n,
    provider_batch: null,
  }));
  await tables.insertInto('batch_items').values(rows).execute();
}

function toResult(
  row: Pick<Tables['batch_items'], 'position' | 'custom_id' | 'state' | 'status' | 'result' | 'request_id'>,
): ItemResult {
  const { status, result, request_id: requestId } = row;
  return {
    position: Number(row.position),
    customId: row.custom_id,
    state: row.state as ItemResult['state'],
    answer:
      status === null || result === null ? null : { status: Number(status), body: result, requestId: requestId ?? '' },
  };
}

/**
 * What has not begun of a batch becomes `closing`; what runs is finished. The batch is written first: whoever moves an item
 * that runs writes its batch before, so that none can slip back to those that wait.
 */
export async function closeBatch(
  tables: Queries,
  id: string,
  closing: 'canceled' | 'expired',
  now: bigint,
): Promise<void> {
  const closed = await tables
    .updateTable('batches')
    .set({ closing, ...(closing === 'canceled' && { state: 'canceling', cancelled_at: now }) })
    .where('id', '=', id)
    .where('state', '=', 'in_progress')
    .where('closing', 'is', null)
    .executeTakeFirst();
  if (closed.numUpdatedRows === 0n) return;
  const { numUpdatedRows: count } = await tables
    .updateTable('batch_items')
    .set({ state: closing, ended_at: now })
    .where('batch_id', '=', id)
    .where('state', '=', 'pending')
    .executeTakeFirst();
  await tables
    .updateTable('batches')
    .set((row) => ({ [closing]: row(closing, '+', count) }))
    .where('id', '=', id)
    .execute();
  await endIfDone(tables, id, now);
}

/** A batch whose last item has an end has ended. */
export async function endIfDone(tables: Queries, id: string, now: bigint): Promise<void> {
  await tables
    .updateTable('batches')
    .set({ state: 'ended', ended_at: now })
    .where('id', '=', id)
    .where('state', 'in', ['in_progress', 'canceling'])
    .where(sql<boolean>`succeeded + errored + canceled + expired >= total`)
    .execute();
}

/** What is left of these goes bit by bit; their keys are free at once. */
async function forget(tables: Queries, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tables.updateTable('batches').set({ state: 'deleted', idempotency_key: null }).where('id', 'in', ids).execute();
  await tables.deleteFrom('webhooks').where('batch_id', 'in', ids).execute();
}

async function tidy({ database, clock }: { database: Database; clock: Pick<Clock, 'now'> }, keepMs: number) {
  const now = BigInt(clock.now().getTime());
  const idsWhere = async (
    state: string,
    until: readonly ['expires_at' | 'ended_at' | 'lease_until', bigint] | null,
  ) => {
    let query = database.tables.selectFrom('batches').select('id').where('state', '=', state);
    if (until !== null) query = query.where(until[0], '<=', until[1]);
    if (until?.[0] === 'expires_at') query = query.where('closing', 'is', null);
    return (await query.limit(tidiedAtOnce).execute()).map(({ id }) => id);
  };
  // 1. What is beyond its time is not asked for any more.
  for (const id of await idsWhere('in_progress', ['expires_at', now])) {
    await database.transaction((tables) => closeBatch(tables, id, 'expired', now));
  }
  // 2. Batches that a process was storing which is no more, and those that are twice as old as their results may be.
  const halves = await idsWhere('storing', ['lease_until', now]);
  const older = await idsWhere('ended', ['ended_at', now - 2n * BigInt(keepMs)]);
  const past = [...halves, ...older];
  if (past.length > 0) await database.transaction((tables) => forget(tables, past));
  // 3. Results that are old, or that their API has put elsewhere.
  const old = await database.tables
    .selectFrom('batches')
    .select('id')
    .where('state', '=', 'ended')
    .where((batch) => batch.or([batch('ended_at', '<=', now - BigInt(keepMs)), batch('finished_at', 'is not', null)]))
    .where('archived_at', 'is', null)
    .limit(tidiedAtOnce)
    .execute();
  for (const { id } of old) {
    if (!(await removeItems(database, id))) return true;
    const archived = { archived_at: now };
    await database.transaction((tables) => tables.updateTable('batches').set(archived).where('id', '=', id).execute());
  }
  // 4. What nobody sees any more.
  for (const id of await idsWhere('deleted', null)) {
    if (!(await removeItems(database, id))) return true;
    await database.transaction((tables) => tables.deleteFrom('batches').where('id', '=', id).execute());
  }
  return old.length === tidiedAtOnce;
}

/** A portion of them. True: none is left. */
async function removeItems(database: Database, id: string): Promise<boolean> {
  return database.transaction(async (tables) => {
    const first = await tables
      .selectFrom('batch_items')
      .select('position')
      .where('batch_id', '=', id)
      .orderBy('position')
      .limit(1)
      .executeTakeFirst();
    if (first === undefined) return true;
    await tables
      .deleteFrom('batch_items')
      .where('batch_id', '=', id)
      .where('position', '<', first.position + BigInt(removedAtOnce))
      .execute();
    return false;
  });
}
