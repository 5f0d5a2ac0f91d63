import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { type Clock, systemClock, type Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Database, Queries } from './database.ts';
import { createDiskSync, type DiskSync } from './log-file.ts';
import { migrate } from './migrations.ts';
import { noNotes, notesIn } from './notes.ts';
import { queriesOver } from './sqlite-queries.ts';

/** The path of a database that lives in memory and ends with the process. */
export const inMemory = ':memory:';

/** How long a statement waits for another process that writes. */
const busyMs = 1_000;
/** So many transactions run before the event loop turns. */
const transactionsPerTurn = 16;

/** The log of changes is folded into the file after a second without transactions, if there were so many since. */
const quietMs = 1_000;
const foldAfterTransactions = 256;
/** At so many pages of 4 KiB it is folded in the middle of whatever goes on, which waits for it. */
export const mostLogPages = 4_096;

interface Job {
  run: (tables: Queries) => Promise<unknown>;
  durable: boolean;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Opens a file, or begins one, and brings its tables to the newest form. Throws what SQLite throws, and
 * `storage_unavailable` for a file of a newer server.
 *
 * Node's SQLite works on the thread of the server, so a query is there when it is asked for. A transaction begins in a turn of the
 * event loop of its own and is over before the next, results are handed out after it: nothing else runs in between. So
 * whoever writes through another connection of this process never waits for a lock that cannot be given back.
 *
 * The disk is waited for on another thread. SQLite itself would do it on this one, after each commit (`synchronous = FULL`); it
 * is told not to (`NORMAL`), and the same is done here before a transaction counts as done (README.md has why that is the same).
 */
export async function openSqlite(
  path: string,
  {
    now,
    after = systemClock.after,
    disk = createDiskSync(`${path}-wal`),
  }: { now: () => Date; after?: Clock['after']; disk?: DiskSync },
): Promise<Database> {
  const file = openFile(path);
  const log = createLog(file, { disk: path === inMemory ? null : disk, after });
  const notes = path === inMemory ? noNotes : notesIn(`${path}-notes`);
  const { tables, within } = queriesOver(file);
  const jobs: Job[] = [];
  let isScheduled = false;
  let isClosed = false;

  /** Runs one; what it returns tells its outcome. */
  const attempt = async ({ run, durable, resolve, reject }: Job): Promise<(synced: Promise<void>) => void> => {
    try {
      const result = await within(run);
      return (synced) => (durable ? void synced.then(() => resolve(result), reject) : resolve(result));
    } catch (error) {
      return () => reject(error);
    }
  };
  const flush = async () => {
    const now = jobs.splice(0, transactionsPerTurn);
    const outcomes: Awaited<ReturnType<typeof attempt>>[] = [];
    for (const job of now) outcomes.push(await attempt(job));
    const synced = log.wrote(now.length, { durable: now.some(({ durable }) => durable) });
    // Where nobody waits for it.
    synced.catch(() => {});
    isScheduled = false;
    if (jobs.length > 0) schedule();
    for (const tell of outcomes) tell(synced);
  };
  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => void flush());
  };
  const database: Database = {
    tables,
    isShared: false,
    isKept: path !== inMemory,
    notes,
    nowMs: sql<bigint>`cast(unixepoch('subsec') * 1000 as integer)`,
    transaction<Result>(run: (tables: Queries) => Promise<Result>, { durable = true } = {}): Promise<Result> {
      if (isClosed) return Promise.reject(new AppError('storage_unavailable', 'The database is closed.'));
      return new Promise<Result>((resolve, reject) => {
        jobs.push({ run, durable, resolve: resolve as (result: unknown) => void, reject });
        schedule();
      });
    },
    async close() {
      const last = database.transaction(async () => {});
      isClosed = true;
      // What the disk has refused was told to whoever wrote it.
      await last.catch(() => {});
      log.close();
      notes.close();
      file.close();
    },
  };
  try {
    await migrate(database.transaction, { dialect: 'sqlite', now });
    return database;
  } catch (error) {
    isClosed = true;
    log.close();
    file.close();
    throw error;
  }
}

/** The log of changes beside the file, `path-wal`. */
interface Log {
  /** So many transactions have been committed. Of durable ones it resolves when they are on the disk. */
  wrote(transactions: number, options: { durable: boolean }): Promise<void>;
  close(): void;
}

/** `disk`: null: there is no file. */
function createLog(file: DatabaseSync, { disk, after }: { disk: DiskSync | null; after: Clock['after'] }): Log {
  let unfolded = 0;
  let isQuiet = true;
  let timer: Timer | null = null;
  /** After one that failed nobody knows what of the log is on the disk, whatever a later one says. */
  let hasFailed = false;

  /** Copies the log into the file and waits for the disk, as far as nobody is in the way. */
  const fold = (mode: 'PASSIVE' | 'FULL') => {
    unfolded = 0;
    return file.prepare(`PRAGMA wal_checkpoint(${mode})`).get()?.['busy'] === 0n;
  };
  const sync = async (of: DiskSync) => {
    if (!hasFailed) {
      try {
        return await of.sync();
      } catch {
        hasFailed = true;
      }
    }
    if (!fold('FULL')) throw new AppError('storage_unavailable', 'The database cannot be written to the disk.');
    hasFailed = false;
  };
  const foldWhenQuiet = (of: DiskSync) => {
    timer = null;
    if (!isQuiet) return wait(of);
    if (unfolded < foldAfterTransactions) return;
    // Most of the wait for the disk is over then when the log is folded on this thread.
    void sync(of)
      .then(() => isQuiet && file.isOpen && fold('PASSIVE'))
      // Who writes next finds out again, and is told.
      .catch(() => {});
  };
  const wait = (of: DiskSync) => {
    isQuiet = true;
    timer ??= after(quietMs, () => foldWhenQuiet(of));
  };
  return {
    async wrote(transactions, { durable }) {
      if (disk === null) return;
      unfolded += transactions;
      if (unfolded >= foldAfterTransactions && timer === null) wait(disk);
      isQuiet = false;
      if (durable) await sync(disk);
    },
    close() {
      timer?.cancel();
      disk?.close();
    },
  };
}

/**
 * Makes a file that only its owner can read, with its folder, where there is none: SQLite gives its files the mode of the first
 * one, and would make that readable for all. One that is there is not touched: closing it would end the locks of this process on it.
 */
export function createOwn(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600));
}

function openFile(path: string): DatabaseSync {
  if (path !== inMemory) {
    createOwn(path);
  }
  const file = new DatabaseSync(path, { readBigInts: true });
  try {
    file.exec(`
      PRAGMA busy_timeout = ${busyMs};
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${mostLogPages};
      PRAGMA foreign_keys = ON;
    `);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
