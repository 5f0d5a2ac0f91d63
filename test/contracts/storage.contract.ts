import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database, Queries } from '../../src/storage/storage.ts';

/** A database under test that nobody else uses. */
export interface DatabaseUnderTest {
  database: Database;
  /** Another process's view of the same tables. */
  again(): Promise<Database>;
  /** Closes what was opened, and removes it. */
  dispose(): Promise<void>;
}

const startsAt = 1_767_225_600_000n;
const spending = (spent: bigint, reserved = 0n) => ({
  scope: '',
  period: 'day',
  starts_at: startsAt,
  spent,
  reserved,
});
const book = (tables: Queries, spent: bigint) =>
  tables
    .insertInto('spending')
    .values(spending(spent))
    .onConflict((conflict) =>
      conflict.columns(['scope', 'period', 'starts_at']).doUpdateSet((row) => ({
        spent: sql<bigint>`${row.ref('spending.spent')} + ${row.ref('excluded.spent')}`,
      })),
    )
    .returning('spent')
    .executeTakeFirstOrThrow();

/** What `Database` promises, asked of every implementation. */
export function runStorageContract(name: string, open: () => Promise<DatabaseUnderTest>): void {
  describe(`the database in ${name}`, () => {
    let test: DatabaseUnderTest;
    let database: Database;
    beforeEach(async () => {
      test = await open();
      database = test.database;
    });
    afterEach(() => test.dispose());

    const spent = async (of: Database = database) =>
      (await of.tables.selectFrom('spending').select('spent').executeTakeFirst())?.spent ?? null;

    it('gives numbers back as they were, beyond what a float holds', async () => {
      const amount = 9_007_199_254_740_993n;
      await database.transaction((tables) => book(tables, amount));
      expect(await spent()).toBe(amount);
    });

    it('sums as whole numbers, and an empty sum is none', async () => {
      const total = () =>
        database.tables
          .selectFrom('spending')
          .select(sql<bigint | null>`cast(sum(spent) as bigint)`.as('total'))
          .executeTakeFirstOrThrow();
      expect(await total()).toEqual({ total: null });
      await database.transaction(async (tables) => {
        await tables.insertInto('spending').values(spending(9_007_199_254_740_993n)).execute();
        await tables
          .insertInto('spending')
          .values({ ...spending(2n), scope: 'key' })
          .execute();
      });
      expect(await total()).toEqual({ total: 9_007_199_254_740_995n });
    });

    it('adds to a row that is there, and tells the new value', async () => {
      expect(await database.transaction((tables) => book(tables, 3n))).toEqual({ spent: 3n });
      expect(await database.transaction((tables) => book(tables, 4n))).toEqual({ spent: 7n });
    });

    it('keeps nothing of a transaction that fails, and rejects with what it threw', async () => {
      await database.transaction((tables) => book(tables, 1n));
      const failure = new Error('no');
      const failing = database.transaction(async (tables) => {
        await book(tables, 10n);
        throw failure;
      });
      await expect(failing).rejects.toBe(failure);
      expect(await spent()).toBe(1n);
    });

    it('runs many transactions at once without losing one', async () => {
      const all = Array.from({ length: 200 }, (_, index) =>
        database.transaction((tables) => book(tables, 1n), { durable: index % 2 === 0 }),
      );
      const values = (await Promise.all(all)).map((row) => row.spent);
      expect(await spent()).toBe(200n);
      // Each saw a state of its own: what one decides by its value, no other one decides by the same.
      expect(new Set(values).size).toBe(200);
    });

    it('goes on after one of many has failed', async () => {
      const all = Array.from({ length: 20 }, (_, index) =>
        database.transaction(async (tables) => {
          await book(tables, 1n);
          if (index % 2 === 0) throw new Error('no');
        }),
      );
      const results = await Promise.allSettled(all);
      expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(10);
      expect(await spent()).toBe(10n);
    });

    it('has what was committed when it is opened again, with its tables as they were', async () => {
      await database.transaction((tables) => book(tables, 5n));
      const again = await test.again();
      expect(await spent(again)).toBe(5n);
      await again.transaction((tables) => book(tables, 1n));
      expect(await spent(again)).toBe(6n);
      const applied = await again.tables.selectFrom('schema_migrations').selectAll().orderBy('number').execute();
      expect(applied.map(({ number }) => number)).toEqual(applied.map((_, index) => BigInt(index + 1)));
    });

    it('is not used where a newer server wrote it', async () => {
      await database.transaction(async (tables) => {
        await tables
          .insertInto('schema_migrations')
          .values({ number: 9_999n, name: 'later', applied_at: 0n })
          .execute();
      });
      await expect(test.again()).rejects.toMatchObject({
        code: 'storage_unavailable',
        message: expect.stringContaining('newer version'),
      });
    });

    it('finishes what was begun before it closes', async () => {
      const pending = database.transaction((tables) => book(tables, 8n));
      const [, again] = await Promise.all([pending, test.again()]);
      expect(await spent(again)).toBe(8n);
    });
  });
}
