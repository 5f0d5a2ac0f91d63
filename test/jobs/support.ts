import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anonymous } from '../../src/core/call.ts';
import type { BatchWish, ItemAnswer, NewItem } from '../../src/jobs/batch.ts';
import { noUsage } from '../../src/jobs/jobs.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

/** Tables that nobody else uses; `open`: another process's view of them. */
export interface TestTables {
  open(): Promise<Database>;
  dispose(): Promise<void>;
}

const now = () => new Date('2026-01-01T00:00:00Z');

async function sqliteTables(): Promise<TestTables> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-jobs-'));
  const opened: Database[] = [];
  return {
    async open() {
      const database = await openSqlite(join(folder, 'hearth.sqlite'), { now });
      opened.push(database);
      return database;
    },
    async dispose() {
      for (const database of opened) await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Every kind of database that is there to be tested. */
export const databases: readonly (readonly [name: string, open: () => Promise<TestTables>])[] = [
  ['SQLite', sqliteTables],
  ...(postgresUrl === undefined ? [] : [['PostgreSQL', () => openTestSchema(postgresUrl!)] as const]),
];

export const alice = { ...anonymous, id: 'alice', name: 'alice' };
export const scope = { owner: 'alice', api: 'test' };

export function item(customId: string, more: Partial<NewItem> = {}): NewItem {
  return { customId, model: 'small', body: JSON.stringify({ say: customId }), prefix: '', ...more };
}

export function wish(items: readonly NewItem[], more: Partial<BatchWish> = {}): BatchWish {
  return {
    idPrefix: 'batch_',
    owner: alice,
    api: 'test',
    path: '/v1/messages',
    headers: {},
    items,
    expiresInMs: 24 * 3_600_000,
    notes: {},
    idempotency: null,
    ...more,
  };
}

/** The answer of a route. */
export function answered(body: string, more: Partial<ItemAnswer> = {}): ItemAnswer {
  return { status: 200, body, usage: { ...noUsage, inputTokens: 10, outputTokens: 2 }, failure: null, ...more };
}
