import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { openTestSchema, postgresUrl } from './postgres.ts';

/** A database of its own for one test. */
export interface TestDatabase {
  /** Another process's view of it. */
  open(): Promise<Database>;
  /** Closes what was opened, and removes it. */
  dispose(): Promise<void>;
}

/** Describes what holds of tables in every kind of database. `about`: `circuits of replicas`; the kind is put behind it. */
export function describeInDatabases(about: string, body: (openDatabase: () => Promise<TestDatabase>) => void): void {
  describe(`${about}, in SQLite`, () => body(sqliteFile));
  describe(`${about}, in PostgreSQL`, () => {
    if (postgresUrl === undefined) it.skip('where HEARTH_TEST_POSTGRES names one by its URL', () => {});
    else body(() => openTestSchema(postgresUrl!));
  });
}

async function sqliteFile(): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-database-'));
  const opened: Database[] = [];
  return {
    async open() {
      const database = await openSqlite(join(folder, 'hearth.sqlite'), { now: () => new Date() });
      opened.push(database);
      return database;
    },
    async dispose() {
      // One that a test has closed is closed.
      await Promise.allSettled(opened.map((database) => database.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
