import { randomBytes } from 'node:crypto';
import { type SelectQueryBuilder, sql } from 'kysely';
import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { formatBytes } from '../core/format-units.ts';
import type { FileDetails, StoredFile, StoredFiles } from '../core/stored-files.ts';
import { isDiskFull } from '../files/files.ts';
import type { Logger } from '../observe/logger.ts';
import type { ByteKeeper } from './byte-keeper.ts';
import { keepInDatabase } from './bytes-in-database.ts';
import { keepInFolder } from './bytes-in-folder.ts';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

/** What files may take up, in bytes. */
interface FileLimits {
  maxFileBytes: number;
  /** Of all files of all owners; each counts with `fileOverheadBytes` more, so that empty ones are not endless. */
  maxTotalBytes: number;
}

interface StoredFilesDeps {
  database: Database;
  /** For the bytes, where the database is this process's alone. */
  folder: string;
  limits: FileLimits;
  clock: Pick<Clock, 'now' | 'every'>;
  log: Pick<Logger, 'warn'>;
  /** Where bytes are kept; left out: in the folder, or in a database that is shared. */
  keeper?: ByteKeeper;
}

/** How often what has expired, and what nobody knows, is deleted. */
const sweepMs = 3_600_000;
const fileOverheadBytes = 4_096;
const idsPerQuery = 500;

/**
 * Files of clients: a row each, and their bytes in a folder or, for replicas, beside the rows. The bytes are on the disk before the
 * row is, and go after it: whoever finds a row finds the whole file.
 */
export async function createStoredFiles(deps: StoredFilesDeps): Promise<StoredFiles & { close(): Promise<void> }> {
  const { database, folder, limits, clock, log } = deps;
  const now = () => clock.now();
  const keeper = deps.keeper ?? (database.isShared ? keepInDatabase({ database, now }) : keepInFolder({ folder, now }));
  const newFileId = idMaker(now);
  let arrivingBytes = 0;
  const present = () => presentFiles(database, now);

  const totalBytes = async () => {
    const row = await database.tables
      .selectFrom('files')
      .select(sql<bigint | null>`cast(sum(bytes + ${BigInt(fileOverheadBytes)}) as bigint)`.as('total'))
      .executeTakeFirstOrThrow();
    return Number(row.total ?? 0n);
  };
  /** Passes bytes on as long as they, and all that arrive beside them, find room. `count` is told of each piece. */
  async function* bounded(bytes: AsyncIterable<Uint8Array>, maxBytes: number, count: (bytes: number) => void) {
    const keptBytes = await totalBytes();
    const assertRoom = () => {
      if (keptBytes + arrivingBytes > limits.maxTotalBytes) throw noRoom(limits.maxTotalBytes);
    };
    assertRoom();
    let size = 0;
    for await (const piece of fromSender(bytes)) {
      size += piece.length;
      count(piece.length);
      if (size > maxBytes) throw tooLarge(maxBytes);
      assertRoom();
      yield piece;
    }
  }
  /** The row of that id: this one, or the one that was there before. */
  const insert = (file: StoredFile) =>
    database.transaction(async (tables) => {
      const { numInsertedOrUpdatedRows } = await tables
        .insertInto('files')
        .values(toRow(file))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows === 1n) return file;
      return toFile(await tables.selectFrom('files').selectAll().where('id', '=', file.id).executeTakeFirstOrThrow());
    });
  const known = async (ids: readonly string[]) => {
    const found = new Set<string>();
    for (let from = 0; from < ids.length; from += idsPerQuery) {
      const some = ids.slice(from, from + idsPerQuery);
      for (const { id } of await database.tables.selectFrom('files').select('id').where('id', 'in', some).execute())
        found.add(id);
    }
    return found;
  };
  const sweep = async () => {
    const old = await database.transaction((tables) =>
      tables.deleteFrom('files').where('expires_at', '<=', BigInt(now().getTime())).returning('id').execute(),
    );
    for (const { id } of old) await keeper.remove(id);
    // A database that is only a stand-in knows of no file: it is no reason to delete them all.
    if (database.isKept) await keeper.sweep(known);
  };
  let sweeping = Promise.resolve();
  const beginSweep = () => {
    sweeping = sweeping.then(sweep).catch((err: unknown) => log.warn({ err }, 'old files could not be deleted'));
  };
  beginSweep();
  await sweeping;
  const timer: Timer = clock.every(sweepMs, beginSweep);

  return {
    maxFileBytes: limits.maxFileBytes,
    newFileId,
    receive: (bytes, maxBytes = limits.maxFileBytes) =>
      attempt(async () => {
        const draft = newFileId();
        let arrived = fileOverheadBytes;
        arrivingBytes += arrived;
        const count = (more: number) => {
          arrived += more;
          arrivingBytes += more;
        };
        // From being kept or forgotten on, the bytes count elsewhere or nowhere.
        const uncount = () => {
          arrivingBytes -= arrived;
          arrived = 0;
        };
        const discard = async () => {
          uncount();
          await keeper.discard(draft).catch((err: unknown) => log.warn({ err }, 'a file could not be deleted'));
        };
        const sizeBytes = await keeper.write(draft, bounded(bytes, maxBytes, count)).catch((error: unknown) => {
          uncount();
          throw error;
        });
        const keep = async ({ id = newFileId(), ...details }: FileDetails) => {
          try {
            const before = await present().where('id', '=', id).executeTakeFirst();
            if (before !== undefined) return toFile(before);
            await keeper.settle(draft, id);
            return await insert(fileOf({ id, sizeBytes, createdAt: now() }, details));
          } finally {
            // Nothing, where it was settled; the sweep finds bytes whose row could not be written.
            await discard();
          }
        };
        return { sizeBytes, keep: (details: FileDetails) => attempt(() => keep(details)), discard };
      }),
    get: (owner, id) =>
      attempt(async () => {
        const row = await present().where('owner', '=', owner).where('id', '=', id).executeTakeFirst();
        return row === undefined ? null : toFile(row);
      }),
    list: (owner, { purpose, after, limit, order }) =>
      attempt(async () => {
        let query = present()
          .where('owner', '=', owner)
          .orderBy('id', order)
          .limit(limit + 1);
        if (purpose !== null) query = query.where('purpose', '=', purpose);
        if (after !== null) query = query.where('id', order === 'asc' ? '>' : '<', after);
        const rows = await query.execute();
        return { files: rows.slice(0, limit).map(toFile), hasMore: rows.length > limit };
      }),
    read: (file, range = { first: 0, last: file.sizeBytes - 1 }) => keeper.read(file.id, range),
    remove: (owner, id) =>
      attempt(async () => {
        const gone = await database.transaction((tables) =>
          tables
            .deleteFrom('files')
            .where('owner', '=', owner)
            .where('id', '=', id)
            .returning('expires_at')
            .executeTakeFirst(),
        );
        if (gone === undefined) return false;
        await keeper.remove(id);
        return gone.expires_at === null || Number(gone.expires_at) > now().getTime();
      }),
    async close() {
      timer.cancel();
      await sweeping;
    },
  };
}

/** Rows of files that have not expired. */
function presentFiles(database: Database, now: () => Date) {
  return database.tables
    .selectFrom('files')
    .selectAll()
    .where((row) => row.or([row('expires_at', 'is', null), row('expires_at', '>', BigInt(now().getTime()))]));
}

type FileRow = ReturnType<typeof presentFiles> extends SelectQueryBuilder<Tables, 'files', infer Row> ? Row : never;

function toFile(row: FileRow): StoredFile {
  const { id, owner, name, purpose } = row;
  return {
    id,
    owner,
    name,
    purpose,
    sizeBytes: Number(row.bytes),
    createdAt: new Date(Number(row.created_at)),
    expiresAt: row.expires_at === null ? null : new Date(Number(row.expires_at)),
  };
}

function toRow({ id, owner, name, purpose, sizeBytes, createdAt, expiresAt }: StoredFile): Tables['files'] {
  const [bytes, created_at] = [BigInt(sizeBytes), BigInt(createdAt.getTime())];
  return { id, owner, name, purpose, bytes, created_at, expires_at: expiresAt && BigInt(expiresAt.getTime()) };
}

function fileOf(
  known: Pick<StoredFile, 'id' | 'sizeBytes' | 'createdAt'>,
  { owner, name, purpose, expiresAfterMs }: FileDetails,
): StoredFile {
  const expiresAt = expiresAfterMs === null ? null : new Date(known.createdAt.getTime() + expiresAfterMs);
  return { ...known, owner, name, purpose, expiresAt };
}

/** Ids whose order is that of time, also within a millisecond of one process. */
function idMaker(now: () => Date): () => string {
  let lastMs = 0;
  return () => {
    lastMs = Math.max(now().getTime(), lastMs + 1);
    return `file-${lastMs.toString(16).padStart(12, '0')}${randomBytes(16).toString('hex')}`;
  };
}

function tooLarge(maxBytes: number): AppError {
  return new AppError('payload_too_large', `The file is larger than ${formatBytes(maxBytes)}.`, {
    field: 'file',
    fix: 'Send a smaller one, or have files.max_size raised.',
    details: { max_bytes: maxBytes },
  });
}

function noRoom(maxBytes: number): AppError {
  return new AppError('storage_unavailable', `All files together may have ${formatBytes(maxBytes)}.`, {
    field: 'file',
    fix: 'Delete files that are not needed, or have files.max_total raised.',
    details: { reason: 'quota', max_bytes: maxBytes },
  });
}

/** What the sender of bytes threw: nothing that this room could put in words. */
class SenderFailure extends Error {}

async function* fromSender(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (cause) {
    throw new SenderFailure('the bytes broke off', { cause });
  }
}

/** Runs it; what the disk or the database throws becomes `storage_unavailable`. */
async function attempt<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof SenderFailure) throw error.cause;
    if (error instanceof AppError) throw error;
    throw isFull(error)
      ? new AppError('storage_unavailable', 'There is no room for it on the disk of the server.', {
          fix: 'Free some space there.',
          details: { reason: 'full' },
          cause: error,
        })
      : new AppError('storage_unavailable', 'Files can neither be read nor written at the moment.', { cause: error });
  }
}

/** Of the folder, of SQLite or of PostgreSQL: the disk has no room. */
function isFull(error: unknown): boolean {
  if (isDiskFull(error)) return true;
  if (!(error instanceof Error)) return false;
  const [fullOfSqlite, fullOfPostgres] = [13, '53100'];
  const { errcode, code } = error as { errcode?: unknown; code?: unknown };
  return (Number(errcode) & 0xff) === fullOfSqlite || code === fullOfPostgres;
}
