import { closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import type { KeptTexts } from '../core/kept.ts';
import type { Logger } from '../observe/logger.ts';
import { createKeptTexts, type KeepLimits } from './kept-texts.ts';

export interface Storage {
  kept: KeptTexts;
  close(): void;
}

/** The path of a database that lives in memory and ends with the process. */
export const inMemory = ':memory:';

/** How long a statement waits for another process that writes. */
const busyMs = 1_000;

interface StorageDeps {
  path: string;
  limits: KeepLimits;
  clock: Pick<Clock, 'now'>;
  log: Pick<Logger, 'warn'>;
}

/**
 * Opens the database, or begins it. A file that cannot be used is put aside with the ending `.damaged` and said in the log;
 * where none can be opened at all, what is kept is kept in memory.
 */
export function openStorage(deps: StorageDeps): Storage {
  const { path, log } = deps;
  try {
    return openAt(path, deps);
  } catch (err) {
    log.warn({ err, path }, 'the database cannot be used; it is put aside and a new one begins');
  }
  try {
    renameSync(path, `${path}.damaged`);
    for (const ending of ['-wal', '-shm']) rmSync(path + ending, { force: true });
    return openAt(path, deps);
  } catch (err) {
    log.warn({ err, path }, 'no database can be written; what is kept will be gone when the server ends');
    return openAt(inMemory, deps);
  }
}

function openAt(path: string, deps: StorageDeps): Storage {
  const database = open(path);
  try {
    return { kept: createKeptTexts(database, deps), close: () => database.close() };
  } catch (error) {
    database.close();
    throw error;
  }
}

function open(path: string): DatabaseSync {
  if (path !== inMemory) {
    mkdirSync(dirname(path), { recursive: true });
    // SQLite gives its files the mode of the first one, and would make that readable for all.
    closeSync(openSync(path, 'a', 0o600));
  }
  const database = new DatabaseSync(path);
  try {
    database.exec(`
      PRAGMA busy_timeout = ${busyMs};
      PRAGMA auto_vacuum = INCREMENTAL;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA secure_delete = ON;
    `);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
