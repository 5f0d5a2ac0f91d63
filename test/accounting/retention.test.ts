import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createReports, type Reports } from '../../src/accounting/reports.ts';
import { createRetention, type Retention } from '../../src/accounting/retention.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import type { Database } from '../../src/storage/storage.ts';
import { addRows, cloudOf } from '../support/accounting.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

interface Opened {
  database: Database;
  again(): Promise<Database>;
  dispose(): Promise<void>;
}

async function openFile(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-retention-'));
  const opened: Database[] = [];
  const again = async () => {
    const one = await openSqlite(join(folder, 'hearth.sqlite'), { now: () => new Date(0) });
    opened.push(one);
    return one;
  };
  return {
    database: await again(),
    again,
    async dispose() {
      for (const one of opened) await one.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openServer(): Promise<Opened> {
  const schema = await openTestSchema(postgresUrl!);
  return { database: await schema.open(), again: () => schema.open(), dispose: () => schema.dispose() };
}

const everything = { since: new Date('2024-01-01T00:00:00Z'), until: new Date('2027-01-01T00:00:00Z') };

describe.each([
  ['SQLite', openFile, true],
  ['PostgreSQL', openServer, postgresUrl !== undefined],
] as const)('rows of the ledger that are too old, in %s', (_name, open, isThere) => {
  let test: Opened;
  let database: Database;
  let clock: ManualClock;
  let reports: Reports;
  let retentions: Retention[];
  beforeEach(async () => {
    if (!isThere) return;
    test = await open();
    ({ database } = test);
    clock = manualClock(new Date('2026-11-29T10:00:00Z'));
    retentions = [];
    reports = createReports({ database, cloud: () => cloudOf(), holderOf: () => null, clock });
  });
  afterEach(async () => {
    if (!isThere) return;
    for (const one of retentions) await one.close();
    await test.dispose();
  });

  const retentionOf = (keepDays: number, of: Database = database): Retention => {
    const log = {
      info: () => {},
      error: (...args: unknown[]) => {
        throw new Error(JSON.stringify(args));
      },
    };
    const one = createRetention({ database: of, keepDays: () => keepDays, clock, log: log as never });
    retentions.push(one);
    return one;
  };
  /** Cleans with no pause between portions. */
  const clean = async (all: readonly Retention[]) => {
    let isDone = false;
    const done = Promise.all(all.map((one) => one.clean())).then(() => {
      isDone = true;
    });
    while (!isDone) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
  };
  const count = async (table: 'ledger' | 'ledger_days' | 'spending' | 'budget_alerts') =>
    (await database.tables.selectFrom(table).selectAll().execute()).length;
  const allSums = async () => ({
    models: await reports.byModel(everything, { withLocal: true }),
    outside: await reports.byModel(everything, { withLocal: false }),
    days: await reports.byDay(everything, { withLocal: true }),
    privacy: await reports.privacy(everything),
  });

  it.runIf(isThere)('become sums of their days, and no total changes', async () => {
    const usd = (amount: number) => BigInt(Math.round(amount * 1e9));
    await addRows(database, [
      { at: '2025-10-01T00:00:00Z', principal: 'aa', key_name: 'kitchen', cost: usd(1) },
      { at: '2025-10-01T23:59:59Z', principal: 'aa', key_name: 'kitchen', cost: usd(2), cache_read_tokens: 7n },
      { at: '2025-10-01T12:00:00Z', principal: 'aa', cost: null, input_tokens: null, output_tokens: null },
      { at: '2025-10-02T00:00:00Z', principal: 'bb', key_name: 'attic', cost: usd(4) },
      { at: '2025-10-02T00:00:01Z', principal: 'bb', provider: 'local', model: 'tiny', left_house: 0n, cost: 0n },
      // The last day that is kept, and one beside it.
      { at: '2025-10-25T00:00:00Z', principal: 'bb', cost: usd(8) },
      { at: '2025-10-24T23:59:59Z', principal: 'bb', cost: usd(16) },
    ]);
    const before = await allSums();
    await clean([retentionOf(400)]);
    expect(await count('ledger')).toBe(1);
    expect(await allSums()).toEqual(before);
    expect(before.privacy.find(({ day, principal }) => day === '2025-10-01' && principal === 'aa')).toMatchObject({
      keyName: 'kitchen',
      cost: usd(3),
      unknownCosts: 1,
      attempts: 3,
      promptTokens: 1_007,
      outputTokens: 300,
    });
  });

  it.runIf(isThere)('are added to the sums that their day has already', async () => {
    await addRows(database, [{ at: '2025-01-01T10:00:00Z', cost: 1n }]);
    const retention = retentionOf(30);
    await clean([retention]);
    await addRows(database, [{ at: '2025-01-01T11:00:00Z', cost: 2n, key_name: 'late' }]);
    await clean([retention]);
    expect(await count('ledger_days')).toBe(1);
    expect(await reports.privacy(everything)).toMatchObject([{ cost: 3n, attempts: 2, keyName: 'late' }]);
  });

  it.runIf(isThere)('go in small portions, and other transactions come between them', async () => {
    const times = Array.from({ length: 450 }, (_, index) => new Date(Date.parse('2025-01-01') + index * 1_000));
    await addRows(
      database,
      times.map((at) => ({ at: at.toISOString(), cost: 1n })),
    );
    const left: number[] = [];
    const watched: Database = {
      ...database,
      async transaction(run, options) {
        const result = await database.transaction(run, options);
        left.push(await count('ledger'));
        return result;
      },
    };
    await clean([retentionOf(400, watched)]);
    expect(left.slice(0, 3)).toEqual([250, 50, 0]);
    expect(await reports.byDay(everything, { withLocal: true })).toMatchObject([{ cost: 450n, attempts: 450 }]);
  });

  it.runIf(isThere)('count once where two servers clean at the same time', async () => {
    const times = Array.from({ length: 900 }, (_, index) => new Date(Date.parse('2025-01-01') + index * 60_000));
    await addRows(
      database,
      times.map((at) => ({ at: at.toISOString(), cost: 1n })),
    );
    const other = await test.again();
    await clean([retentionOf(400), retentionOf(400, other)]);
    expect(await count('ledger')).toBe(0);
    expect(await reports.byModel(everything, { withLocal: true })).toMatchObject([{ cost: 900n, attempts: 900 }]);
  });

  it.runIf(isThere)('go by themselves, soon after the start and again and again', async () => {
    const retention = retentionOf(400);
    await addRows(database, [{ at: '2025-01-01T10:00:00Z' }]);
    const gone = async () => {
      while ((await count('ledger')) > 0) await new Promise((resolve) => setImmediate(resolve));
    };
    clock.advance(50);
    await gone();
    // What follows in the same look is over.
    await retention.clean();
    await addRows(database, [{ at: '2025-01-02T10:00:00Z' }]);
    clock.advance(3_600_000);
    await gone();
    expect(await count('ledger_days')).toBe(2);
  });

  it.runIf(isThere)(
    'take what was spent and noted in past periods with them, but nothing that is reserved',
    async () => {
      const row = (starts: string, reserved = 0n) => ({
        ...{ scope: '', period: 'month', starts_at: BigInt(Date.parse(starts)), spent: 5n },
        reserved,
      });
      await database.transaction(async (tables) => {
        await tables
          .insertInto('spending')
          .values([row('2026-09-01'), row('2026-10-01'), row('2026-11-01'), row('2026-08-01', 1n)])
          .execute();
        const note = (starts: string) => ({
          ...{ scope: '', period: 'month', starts_at: BigInt(Date.parse(starts)), level: 'warning', at: 0n },
        });
        await tables
          .insertInto('budget_alerts')
          .values([note('2026-09-01'), note('2026-11-01')])
          .execute();
      });
      await clean([retentionOf(400)]);
      const starts = (rows: { starts_at: bigint }[]) =>
        rows.map(({ starts_at }) => new Date(Number(starts_at)).toISOString().slice(0, 7)).sort();
      expect(starts(await database.tables.selectFrom('spending').select('starts_at').execute())).toEqual([
        '2026-08',
        '2026-10',
        '2026-11',
      ]);
      expect(starts(await database.tables.selectFrom('budget_alerts').select('starts_at').execute())).toEqual([
        '2026-11',
      ]);
    },
  );
});
