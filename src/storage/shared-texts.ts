import { sql } from 'kysely';
import { AppError } from '../core/errors.ts';
import type { KeptText, KeptTexts } from '../core/kept.ts';
import type { Database, Queries } from './database.ts';
import { type KeepLimits, useResolutionMs } from './kept-texts.ts';

/** A process that was silent for so long is no more; as long as a lease on what is reserved (`accounting/lease.ts`). */
const leaseMs = 60_000;
/** So many are looked at in one step of making room. */
const perStep = 100;

/**
 * Texts in the database, where every process that shares it finds them. `instance`: the name of this one. The time is that of the
 * database. Promises what the ones in a file do.
 */
export function createSharedTexts(deps: { database: Database; instance: string; limits: KeepLimits }): KeptTexts {
  const { database, instance, limits } = deps;
  const { tables, nowMs } = database;
  const oldestUse = sql<bigint>`${nowMs} - ${sql.lit(limits.maxAgeMs)}`;
  const row = (id: string, owner: string) =>
    tables.selectFrom('shared_texts').where('id', '=', id).where('owner', '=', owner).where('used_at', '>=', oldestUse);

  return {
    isShared: database.isShared,
    put: ({ id, owner, text, log, isOpen }) =>
      attempt(async () => {
        const bytes = Buffer.byteLength(text) + (log === null ? 0 : Buffer.byteLength(log));
        if (bytes > limits.maxBytes / 4) {
          throw new AppError('storage_unavailable', 'The answer is too large to be kept.');
        }
        await database.transaction(async (queries) => {
          await queries
            .insertInto('shared_texts')
            .values({ id, owner, used_at: nowMs, bytes: BigInt(bytes), instance: isOpen ? instance : null, text, log })
            .onConflict((conflict) =>
              conflict.column('id').doUpdateSet((excluded) => ({
                owner: excluded.ref('excluded.owner'),
                used_at: excluded.ref('excluded.used_at'),
                bytes: excluded.ref('excluded.bytes'),
                instance: excluded.ref('excluded.instance'),
                text: excluded.ref('excluded.text'),
                log: excluded.ref('excluded.log'),
              })),
            )
            .execute();
          await queries.deleteFrom('shared_texts').where('used_at', '<', oldestUse).execute();
        });
        await makeRoom(database, limits);
      }),
    get: (id, owner) =>
      attempt(async () => {
        const found = await row(id, owner)
          .select(['text', sql<bigint>`${nowMs} - used_at`.as('unused_ms')])
          .executeTakeFirst();
        if (found === undefined) return null;
        if (found.unused_ms > BigInt(useResolutionMs)) {
          await tables.updateTable('shared_texts').set({ used_at: nowMs }).where('id', '=', id).execute();
        }
        return found.text;
      }),
    logOf: (id, owner) => attempt(async () => (await row(id, owner).select('log').executeTakeFirst())?.log ?? null),
    remove: (id, owner) =>
      attempt(async () => {
        const removed = await tables
          .deleteFrom('shared_texts')
          .where('id', '=', id)
          .where('owner', '=', owner)
          .returning('id')
          .execute();
        return removed.length > 0;
      }),
    abandoned: () =>
      attempt(() =>
        // Taken over, so that of several that look at the same time one gets each.
        database.transaction(async (queries) => {
          const rows = await queries
            .updateTable('shared_texts')
            .set({ instance })
            .where('instance', 'is not', null)
            .where('instance', '!=', instance)
            .where(({ not, exists, selectFrom, ref }) =>
              not(
                exists(
                  selectFrom('instances')
                    .select('instances.id')
                    .where('instances.id', '=', ref('shared_texts.instance'))
                    .where('instances.seen_at', '>', sql<bigint>`${nowMs} - ${sql.lit(leaseMs)}`),
                ),
              ),
            )
            .returning(['id', 'owner', 'text', 'log'])
            .execute();
          return rows.map((found): KeptText => ({ ...found, isOpen: true }));
        }),
      ),
  };
}

/** Removes the longest unread ones while there are too many or they are too large; open ones never. */
async function makeRoom(database: Database, limits: KeepLimits): Promise<void> {
  for (;;) {
    const all = await database.tables
      .selectFrom('shared_texts')
      .select([sql<bigint>`count(*)`.as('texts'), sql<bigint>`cast(coalesce(sum(bytes), 0) as bigint)`.as('bytes')])
      .executeTakeFirstOrThrow();
    let [texts, bytes] = [Number(all.texts), Number(all.bytes)];
    const isOver = () => texts > limits.maxTexts || bytes > limits.maxBytes;
    if (!isOver()) return;
    const oldest = await database.tables
      .selectFrom('shared_texts')
      .select(['id', 'bytes'])
      .where('instance', 'is', null)
      .orderBy('used_at')
      .orderBy('id')
      .limit(perStep)
      .execute();
    const leaving: string[] = [];
    for (const { id, bytes: size } of oldest) {
      if (!isOver()) break;
      leaving.push(id);
      texts--;
      bytes -= Number(size);
    }
    if (leaving.length === 0) return;
    await database.transaction((queries) => removeAll(queries, leaving));
  }
}

async function removeAll(queries: Queries, ids: readonly string[]): Promise<void> {
  await queries.deleteFrom('shared_texts').where('id', 'in', ids).execute();
}

async function attempt<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('storage_unavailable', 'What the server keeps can neither be read nor written at the moment.', {
      cause: error,
    });
  }
}
