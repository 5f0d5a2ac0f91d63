import pg from 'pg';
import { systemClock } from '../../src/core/clock.ts';
import { openPostgres } from '../../src/storage/postgres.ts';
import type { Database } from '../../src/storage/storage.ts';

/** A database of PostgreSQL that tests may use; undefined: there is none. */
export const postgresUrl = process.env['HEARTH_TEST_POSTGRES'];

let schemas = 0;

/** An empty schema of its own. `open`: another process's view of it. */
export async function openTestSchema(
  url: string,
): Promise<{ open(): Promise<Database>; dispose(): Promise<void>; url: string }> {
  const schema = `hearth_test_${process.pid}_${schemas++}`;
  const run = async (statement: string) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await run(`CREATE SCHEMA ${schema}`);
  const own = new URL(url);
  own.searchParams.set('options', `-c search_path=${schema}`);
  const opened: Database[] = [];
  return {
    url: own.href,
    async open() {
      const database = await openPostgres(own.href, { clock: systemClock, log: { warn: () => {} } });
      opened.push(database);
      return database;
    },
    async dispose() {
      for (const database of opened) await database.close();
      await run(`DROP SCHEMA ${schema} CASCADE`);
    },
  };
}
