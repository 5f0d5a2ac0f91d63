import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { networkShareOf } from '../../src/files/network-share.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { type Database, inMemory, openStorage } from '../../src/storage/storage.ts';
import { type DatabaseUnderTest, runStorageContract } from '../contracts/storage.contract.ts';
import { manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

const now = () => new Date('2026-01-01T00:00:00Z');
const limits = { maxAgeMs: 1e9, maxTexts: 10, maxBytes: 1e6 };
const log = { warn: () => {} };

async function inFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-database-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

runStorageContract('SQLite', async (): Promise<DatabaseUnderTest> => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-database-'));
  const path = join(folder, 'hearth.sqlite');
  const opened: Database[] = [];
  const open = async () => {
    const database = await openSqlite(path, { now });
    opened.push(database);
    return database;
  };
  return {
    database: await open(),
    again: open,
    async dispose() {
      for (const database of opened) await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});

if (postgresUrl === undefined) {
  describe('the database in PostgreSQL', () => {
    it.skip('is asked where HEARTH_TEST_POSTGRES names one by its URL', () => {});
  });
} else {
  runStorageContract('PostgreSQL', async (): Promise<DatabaseUnderTest> => {
    const { open, dispose } = await openTestSchema(postgresUrl!);
    return { database: await open(), again: open, dispose };
  });
}

describe('the database in a file', () => {
  const row = (startsAt: number) => ({
    scope: '',
    period: 'day',
    starts_at: BigInt(startsAt),
    spent: 1n,
    reserved: 0n,
  });
  const write = (database: Database, startsAt: number, durable = true) =>
    database.transaction((tables) => tables.insertInto('spending').values(row(startsAt)).execute(), { durable });
  /** What is in the file alone, without the log beside it: as if the log were lost. */
  const folded = async (path: string) => {
    await copyFile(path, `${path}.alone`);
    const alone = new DatabaseSync(`${path}.alone`);
    const rows = alone.prepare('SELECT starts_at FROM spending ORDER BY starts_at').all();
    alone.close();
    return rows.map((one) => one['starts_at']);
  };

  it('is on the disk before a transaction counts as done, unless it may be forgotten', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'a.sqlite');
      const waits: PromiseWithResolvers<void>[] = [];
      let isSlow = false;
      const disk = {
        sync: () => {
          const wait = Promise.withResolvers<void>();
          waits.push(wait);
          if (!isSlow) wait.resolve();
          return wait.promise;
        },
        close: () => {},
      };
      const database = await openSqlite(path, { now, disk });
      isSlow = true;
      waits.length = 0;
      const done: string[] = [];
      await write(database, 1, false);
      expect(waits).toHaveLength(0);
      const durable = [2, 3].map((at) => write(database, at).then(() => void done.push(`durable ${at}`)));
      await write(database, 4, false);
      // One wait for both; what is not waited for is done, and what is committed can be seen.
      expect(waits).toHaveLength(1);
      expect(await database.tables.selectFrom('spending').selectAll().execute()).toHaveLength(4);
      await pause(5);
      expect(done).toEqual([]);
      isSlow = false;
      waits[0]!.resolve();
      await Promise.all(durable);
      expect(done).toEqual(['durable 2', 'durable 3']);
      const other = new DatabaseSync(path);
      expect(other.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
      other.close();
      await database.close();
    }));

  it('is put on the disk otherwise where its log cannot be, or the transaction rejects', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'a.sqlite');
      let syncs = 0;
      let fails = false;
      const disk = {
        async sync() {
          syncs++;
          if (fails) throw new Error('I/O error');
        },
        close: () => {},
      };
      const database = await openSqlite(path, { now, disk });
      await write(database, 1);
      fails = true;
      await write(database, 2);
      expect(await folded(path)).toEqual([1, 2]);
      // A reader that has begun before keeps the log from being folded as a whole.
      const reader = new DatabaseSync(path);
      reader.exec('BEGIN; SELECT * FROM spending');
      await expect(write(database, 3)).rejects.toMatchObject({ code: 'storage_unavailable' });
      reader.close();
      // What a later wait says is not believed: all of the log goes into the file first.
      fails = false;
      syncs = 0;
      await write(database, 4);
      expect(syncs).toBe(0);
      expect(await folded(path)).toEqual([1, 2, 3, 4]);
      await write(database, 5);
      expect(syncs).toBe(1);
      await database.close();
    }));

  it('takes its log in when it is quiet, and not in the middle of much work', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'a.sqlite');
      const timers: (() => void)[] = [];
      const after = (_delayMs: number, run: () => void) => {
        timers.push(run);
        return { cancel: () => {} };
      };
      const database = await openSqlite(path, { now, after });
      const before = await folded(path).catch(() => []);
      const burst = (from: number) =>
        Promise.all(Array.from({ length: 300 }, (_, index) => write(database, from + index, false)));
      await burst(0);
      expect(timers).toHaveLength(1);
      await burst(1_000);
      timers.shift()!();
      await pause(20);
      expect(await folded(path).catch(() => [])).toEqual(before);
      // Nothing came since it looked.
      expect(timers).toHaveLength(1);
      timers.shift()!();
      await vi.waitFor(async () => expect(await folded(path)).toHaveLength(600));
      // A few more are not worth it.
      await write(database, 5_000);
      expect(timers).toHaveLength(0);
      await database.close();
    }));

  it('keeps its log when another process has used it and leaves', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'hearth.sqlite');
      const { database, close } = await openStorage({ path, limits, clock: manualClock(), log });
      await write(database, 1);
      const script = `
        const { DatabaseSync } = require('node:sqlite');
        const other = new DatabaseSync(${JSON.stringify(path)});
        other.exec("INSERT INTO spending VALUES ('other', 'day', 1, 1, 0)");
        other.close();
      `;
      expect(spawnSync(process.execPath, ['-e', script]).status).toBe(0);
      expect(existsSync(`${path}-wal`)).toBe(true);
      await write(database, 2);
      const again = new DatabaseSync(path);
      expect(again.prepare('SELECT count(*) AS count FROM spending').get()).toEqual({ count: 3 });
      again.close();
      await close();
    }));

  it('has everything that counted as done when its process is killed', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'hearth.sqlite');
      const script = `
        import { openSqlite } from ${JSON.stringify(join(import.meta.dirname, '../../src/storage/sqlite.ts'))};
        import { writeSync } from 'node:fs';
        const database = await openSqlite(${JSON.stringify(path)}, { now: () => new Date(0) });
        for (let at = 1; ; at++) {
          const row = { scope: '', period: 'day', starts_at: BigInt(at), spent: 1n, reserved: 0n };
          void database
            .transaction((tables) => tables.insertInto('spending').values(row).execute(), { durable: at % 2 === 0 })
            .then(() => writeSync(1, at + ' '));
          if (at % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
        }
      `;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
        cwd: join(import.meta.dirname, '../..'),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let told = '';
      await new Promise<void>((resolve) => {
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          told += text;
          if (told.length > 10_000) child.kill('SIGKILL');
        });
        child.on('close', () => resolve());
      });
      const done = told.split(' ').slice(0, -1).map(Number);
      const database = await openSqlite(path, { now });
      const rows = await database.tables.selectFrom('spending').select('starts_at').execute();
      const there = new Set(rows.map((one) => Number(one.starts_at)));
      expect(done.length).toBeGreaterThan(1_000);
      expect(done.filter((at) => !there.has(at))).toEqual([]);
      await database.close();
    }));

  it('lets nothing else of the process run in the middle of a transaction', async () => {
    const database = await openSqlite(inMemory, { now });
    const seen: string[] = [];
    const look = (name: string) =>
      database.transaction(async (tables) => {
        seen.push(`${name} begins`);
        for (let n = 0; n < 5; n++) await tables.selectFrom('spending').selectAll().execute();
        seen.push(`${name} ends`);
      });
    const others = Array.from({ length: 5 }, async () => {
      await pause(0);
      seen.push('other');
    });
    const first = look('a').then(() => seen.push('a is done'));
    await Promise.all([first, look('b'), ...others]);
    for (const name of ['a', 'b']) {
      expect(seen.indexOf(`${name} ends`)).toBe(seen.indexOf(`${name} begins`) + 1);
    }
    await database.close();
  });

  it('holds kept texts beside the ledger, and neither waits for the other', () =>
    inFolder(async (folder) => {
      const { kept, database, close } = await openStorage({
        path: join(folder, 'hearth.sqlite'),
        limits,
        clock: manualClock(),
        log,
      });
      const writes = Array.from({ length: 50 }, (_, index) =>
        database
          .transaction((tables) => tables.insertInto('spending').values(row(index)).execute())
          // Whoever hears of a commit may write through the other connection at once.
          .then(() => kept.put({ id: `k${index % 5}`, owner: 'me', isOpen: false, text: 'x', log: null })),
      );
      await Promise.all(writes);
      expect(await database.tables.selectFrom('spending').selectAll().execute()).toHaveLength(50);
      expect(await kept.get('k4', 'me')).toBe('x');
      await close();
    }));
});

describe('a network share', () => {
  it.each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [0xff534d42 | 0, 'CIFS'],
    [0xfe534d42, 'SMB'],
    [0xef53, null],
    [0x65735546, null],
  ])('is told by the type %i of its file system: %s', (type, expected) => {
    expect(networkShareOf('/data/hearth.sqlite', () => type)).toBe(expected);
  });

  it('is told of the nearest folder that is there', () => {
    const typeOf = (folder: string) => {
      if (folder !== '/mnt') throw new Error('ENOENT');
      return 0x6969;
    };
    expect(networkShareOf('/mnt/nas/data/hearth.sqlite', typeOf)).toBe('NFS');
    expect(networkShareOf('/nowhere/hearth.sqlite', typeOf)).toBeNull();
  });
});
