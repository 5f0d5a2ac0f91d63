import { existsSync } from 'node:fs';
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { toldOnce } from '../observe/told-once.ts';
import type { Database, Queries, Tables } from '../storage/storage.ts';
import { keptRights, type MadeKey, type MadeKeys, makeKey, plainRights, readKeys, revokedKey } from './made-keys.ts';

/** A change that another replica made is seen after so long. */
const lookMs = 1_000;
/** What counts the changes of keys. */
const revision = 'keys';
const rowsPerStatement = 500;

/** Keys that all replicas know. */
export interface SharedKeys extends MadeKeys {
  /** Looks for changes no more. */
  close(): void;
}

/**
 * Keys in the database. This process has a copy, which is as good as one second ago; while the database is away it counts on, and
 * no key can be made or revoked. `filePath`: keys that were made before the database was shared; they are taken over, and the file
 * stays. Rejects where they cannot be read: without them everyone might be let in.
 */
export async function openSharedKeys(deps: {
  database: Database;
  filePath: string;
  clock: Pick<Clock, 'now' | 'every'>;
  warn: (error: unknown) => void;
}): Promise<SharedKeys> {
  const { database, filePath, clock, warn } = deps;
  let keys: readonly MadeKey[] = [];
  let byDigest = new Map<string, MadeKey>();
  let seen = -1n;
  let isLooking = false;

  const takeOver = (next: readonly MadeKey[], number: bigint) => {
    // A look that began before a change of ours may end after it.
    if (number < seen) return;
    seen = number;
    keys = next;
    byDigest = new Map(next.map((key) => [key.digest, key]));
  };
  const look = async (): Promise<void> => {
    // Before the keys: what changes in between is read again the next time.
    const number = await revisionOf(database);
    if (number !== seen) takeOver(await allKeys(database.tables), number);
  };
  const change = async <Result>(act: (queries: Queries, all: MadeKey[]) => Promise<Result>): Promise<Result> => {
    try {
      const { result, next, number } = await database.transaction(async (queries) => {
        // One change at a time, of all replicas: whoever has this row has the turn.
        const number = await nextRevision(queries);
        const result = await act(queries, await allKeys(queries));
        return { result, next: await allKeys(queries), number };
      });
      takeOver(next, number);
      return result;
    } catch (error) {
      if (error instanceof AppError) throw error;
      throw new AppError('storage_unavailable', 'The keys cannot be written at the moment.', { cause: error });
    }
  };

  const ofFile = existsSync(filePath) ? readKeys(filePath) : [];
  if (ofFile.length > 0) await change((queries) => insertKeys(queries, ofFile));
  else await look();
  const lookAgain = toldOnce(look, warn);
  const timer = clock.every(lookMs, () => {
    if (isLooking) return;
    isLooking = true;
    void lookAgain().finally(() => {
      isLooking = false;
    });
  });

  return {
    exist: () => keys.length > 0,
    find: (digest) => byDigest.get(digest) ?? null,
    list: () => keys,
    create: (wish) =>
      change(async (queries, all) => {
        const made = makeKey(wish, all, clock.now());
        await insertKeys(queries, [made.made]);
        return made;
      }),
    revoke: (idOrName) =>
      change(async (queries, all) => {
        const revoked = revokedKey(idOrName, all, clock.now());
        await queries
          .updateTable('made_keys')
          .set({ revoked_at: BigInt(revoked.revokedAt!.getTime()) })
          .where('id', '=', revoked.id)
          .execute();
        return revoked;
      }),
    close: () => timer.cancel(),
  };
}

async function revisionOf(database: Database): Promise<bigint> {
  const row = await database.tables
    .selectFrom('revisions')
    .select('number')
    .where('name', '=', revision)
    .executeTakeFirst();
  return row?.number ?? 0n;
}

async function nextRevision(queries: Queries): Promise<bigint> {
  const { number } = await queries
    .insertInto('revisions')
    .values({ name: revision, number: 1n })
    .onConflict((conflict) =>
      conflict.column('name').doUpdateSet((row) => ({ number: sql<bigint>`${row.ref('revisions.number')} + 1` })),
    )
    .returning('number')
    .executeTakeFirstOrThrow();
  return number;
}

async function allKeys(tables: Pick<Queries, 'selectFrom'>): Promise<MadeKey[]> {
  const rows = await tables.selectFrom('made_keys').selectAll().orderBy('created_at').orderBy('id').execute();
  return rows.map(toKey);
}

/** Leaves alone what is there already. */
async function insertKeys(queries: Queries, keys: readonly MadeKey[]): Promise<void> {
  for (let first = 0; first < keys.length; first += rowsPerStatement) {
    await queries
      .insertInto('made_keys')
      .values(keys.slice(first, first + rowsPerStatement).map(toRow))
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

function toRow({ id, name, digest, ending, createdAt, expiresAt, revokedAt, ...rights }: MadeKey): Tables['made_keys'] {
  const time = (date: Date | null) => date && BigInt(date.getTime());
  return {
    id,
    name,
    digest,
    ending,
    rights: JSON.stringify(plainRights(rights)),
    created_at: BigInt(createdAt.getTime()),
    expires_at: time(expiresAt),
    revoked_at: time(revokedAt),
  };
}

function toKey(row: Tables['made_keys']): MadeKey {
  const { id, name, digest, ending, rights, created_at, expires_at, revoked_at } = row;
  const date = (ms: bigint | null) => (ms === null ? null : new Date(Number(ms)));
  return {
    id,
    name,
    digest,
    ending,
    ...keptRights.parse(JSON.parse(rights)),
    createdAt: new Date(Number(created_at)),
    expiresAt: date(expires_at),
    revokedAt: date(revoked_at),
  };
}
