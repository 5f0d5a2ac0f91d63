import { randomUUID } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { KeptTexts } from '../core/kept.ts';
import { networkShareOf } from '../files/network-share.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from './database.ts';
import { createKeptTexts, type KeepLimits } from './kept-texts.ts';
import { openPostgres } from './postgres.ts';
import { createSharedTexts } from './shared-texts.ts';
import { createOwn, inMemory, mostLogPages, openSqlite } from './sqlite.ts';

export { isOtherProcess } from '../files/processes.ts';
export type { Database, Queries } from './database.ts';
export { createDatabaseClock } from './database-clock.ts';
export type { Notes } from './notes.ts';
export { inMemory } from './sqlite.ts';
export { columnsOf, inOrder, statementOver } from './statements.ts';
export { createStoredFiles } from './stored-files.ts';
export type { Tables } from './tables.ts';

export interface Storage {
  kept: KeptTexts;
  /** The ledger, the budgets, and what replicas share. */
  database: Database;
  close(): Promise<void>;
}

/** How long a statement waits for another process that writes. */
const busyMs = 1_000;

interface StorageDeps {
  /** Of the file. */
  path: string;
  /** Of a database of PostgreSQL, which then has everything; null: the file has. */
  url?: string | null;
  /** Name of this process, among those that share the database. */
  instance?: string;
  limits: KeepLimits;
  clock: Pick<Clock, 'now' | 'after'>;
  log: Pick<Logger, 'warn'>;
}

/**
 * Opens the database, or begins it. A file that cannot be used is put aside with the ending `.damaged` and said in the log;
 * where none can be opened at all, what is kept is kept in memory. Throws `storage_unavailable` for a file on a network share
 * and for one that a newer server wrote, and as `openPostgres` does.
 */
export async function openStorage(deps: StorageDeps): Promise<Storage> {
  const { path, url = null, log } = deps;
  if (url !== null) return openShared(url, deps);
  const share = path === inMemory ? null : networkShareOf(path);
  if (share !== null) {
    throw new AppError(
      'storage_unavailable',
      `The data folder lies on a network share (${share}), where a database is not safe. Choose a folder on a disk of this machine.`,
    );
  }
  try {
    return await openAt(path, deps);
  } catch (err) {
    if (err instanceof AppError) throw err;
    if (!isDamage(err)) return openInMemory(err, deps);
    log.warn({ err, path }, 'the database is damaged; it is put aside and a new one begins');
  }
  try {
    renameSync(path, `${path}.damaged`);
    for (const ending of ['-wal', '-shm']) rmSync(path + ending, { force: true });
    return await openAt(path, deps);
  } catch (err) {
    return openInMemory(err, deps);
  }
}

function openInMemory(err: unknown, deps: StorageDeps): Promise<Storage> {
  const { path, log } = deps;
  log.warn({ err, path }, 'no database can be written; what is kept will be gone when the server ends');
  return openAt(inMemory, deps);
}

/** Whether SQLite found that the file is none of its own, or broken; one that is busy, or may not be written, is left alone. */
function isDamage(error: unknown): boolean {
  const [corrupt, notDatabase] = [11, 26];
  if (!(error instanceof Error) || !('errcode' in error)) return false;
  const code = Number(error.errcode) & 0xff;
  return code === corrupt || code === notDatabase;
}

async function openAt(path: string, deps: StorageDeps): Promise<Storage> {
  const file = open(path);
  try {
    const kept = createKeptTexts(file, deps);
    // Through a connection of its own: it must not be in the middle of something when a text is kept.
    const database = await openSqlite(path, { now: () => deps.clock.now() });
    return {
      kept,
      database,
      async close() {
        await database.close();
        file.close();
      },
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openShared(url: string, { instance = randomUUID(), limits, clock, log }: StorageDeps): Promise<Storage> {
  const database = await openPostgres(url, { clock, log });
  return {
    kept: createSharedTexts({ database, instance, limits }),
    database,
    close: () => database.close(),
  };
}

function open(path: string): DatabaseSync {
  if (path !== inMemory) {
    createOwn(path);
  }
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA busy_timeout = ${busyMs};
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${mostLogPages};
      PRAGMA secure_delete = ON;
    `);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
