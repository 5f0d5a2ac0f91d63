import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabaseClock } from '../../src/storage/database-clock.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { type Database, inMemory } from '../../src/storage/storage.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const hourMs = 3_600_000;

describe('the clock of a database that is shared', () => {
  let database: Database;
  let clock: ManualClock;
  let thereMs: number;
  let warnings: object[];
  beforeEach(async () => {
    clock = manualClock(new Date('2026-11-30T10:00:00Z'));
    thereMs = clock.now().getTime() + hourMs;
    warnings = [];
    const own = await openSqlite(inMemory, { now: () => clock.now() });
    database = {
      ...own,
      isShared: true,
      get nowMs() {
        return sql<bigint>`cast(${sql.lit(thereMs)} as integer)`;
      },
    };
  });
  afterEach(() => database.close());

  const open = (changes: Partial<Database> = {}) =>
    createDatabaseClock({
      database: Object.defineProperties({} as Database, {
        ...Object.getOwnPropertyDescriptors(database),
        ...descriptors(changes),
      }),
      clock,
      log: { warn: (fields: object) => void warnings.push(fields) } as never,
    });
  const descriptors = (changes: object) => Object.getOwnPropertyDescriptors(changes);
  const pass = (ms: number) => {
    thereMs += ms;
    clock.advance(ms);
  };

  it('counts, whatever that of the machine says, and goes on between two looks', async () => {
    const shared = await open();
    expect(shared.now().getTime()).toBe(thereMs);
    pass(7_000);
    expect(shared.now().getTime()).toBe(thereMs);
    expect(shared.monotonicMs()).toBe(clock.monotonicMs());
    shared.close();
  });

  it('is looked at again, and the log says once that this machine is wrong', async () => {
    const shared = await open();
    expect(warnings).toEqual([{ secondsBehind: 3_600 }]);
    thereMs += 90_000;
    pass(10_000);
    await expect.poll(() => shared.now().getTime()).toBe(thereMs);
    expect(warnings).toHaveLength(1);
    shared.close();
  });

  it('goes on by itself while the database is away', async () => {
    let isAway = false;
    const shared = await open({
      get tables() {
        if (isAway) throw new Error('away');
        return database.tables;
      },
    });
    isAway = true;
    pass(25_000);
    expect(shared.now().getTime()).toBe(thereMs);
    shared.close();
  });

  it('is that of the machine where nobody else uses the database', async () => {
    const own = await open({ isShared: false });
    expect(own.now()).toEqual(clock.now());
    expect(warnings).toEqual([]);
  });
});
