import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ByteKeeper } from '../../src/storage/byte-keeper.ts';
import { keepInDatabase } from '../../src/storage/bytes-in-database.ts';
import type { Database } from '../../src/storage/database.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { createStoredFiles } from '../../src/storage/stored-files.ts';
import {
  contractLimits,
  runStoredFilesContract,
  type StoredFilesUnderTest,
} from '../contracts/stored-files.contract.ts';
import { manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

const log = { warn: () => {} };
const now = () => new Date('2026-01-01T00:00:00Z');

async function underTest(
  database: Database,
  bytes: 'in its tables' | { folder: string },
  dispose: () => Promise<void>,
): Promise<StoredFilesUnderTest> {
  const clock = manualClock();
  const folder = bytes === 'in its tables' ? '/nowhere' : bytes.folder;
  const deps = { database, folder, limits: contractLimits, clock, log };
  const keeper = bytes === 'in its tables' ? { keeper: keepInDatabase({ database, now: () => clock.now() }) } : {};
  const open = () => createStoredFiles({ ...deps, ...keeper });
  return {
    files: await open(),
    clock,
    again: open,
    async bytesOf() {
      if (bytes !== 'in its tables') return (await readdir(bytes.folder).catch(() => [])).sort();
      const rows = await database.tables.selectFrom('file_parts').select('file_id').distinct().execute();
      return rows.map(({ file_id }) => file_id).sort();
    },
    dispose,
  };
}

async function openInTemporary() {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-files-'));
  const database = await openSqlite(join(folder, 'a.sqlite'), { now });
  const dispose = async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { folder: join(folder, 'files'), database, dispose };
}

runStoredFilesContract('in a folder', async () => {
  const { folder, database, dispose } = await openInTemporary();
  return underTest(database, { folder }, dispose);
});

runStoredFilesContract('in the tables of SQLite', async () => {
  const { database, dispose } = await openInTemporary();
  return underTest(database, 'in its tables', dispose);
});

if (postgresUrl === undefined) {
  describe('files kept in PostgreSQL', () => {
    it.skip('are asked for where HEARTH_TEST_POSTGRES names one by its URL', () => {});
  });
} else {
  runStoredFilesContract('in PostgreSQL', async () => {
    const { open, dispose } = await openTestSchema(postgresUrl!);
    return underTest(await open(), 'in its tables', dispose);
  });
}

async function* oneByOne(text: string) {
  yield Buffer.from(text);
}
const mine = { owner: 'me', name: 'a', purpose: 'batch', expiresAfterMs: null };

describe('the folder of files', () => {
  const withFolder = async (
    use: (place: {
      folder: string;
      database: Database;
      open: () => ReturnType<typeof createStoredFiles>;
    }) => Promise<void>,
  ) => {
    const { folder, database, dispose } = await openInTemporary();
    const open = () => createStoredFiles({ database, folder, limits: contractLimits, clock: manualClock(now()), log });
    try {
      await use({ folder, database, open });
    } finally {
      await dispose();
    }
  };

  it('loses at the start what ended processes were writing, its own number included, and keeps what others write', () =>
    withFolder(async ({ folder, open }) => {
      await mkdir(folder);
      const nobody = 2 ** 30;
      for (const pid of [process.pid, nobody, process.ppid])
        await writeFile(join(folder, `file-x.${pid}.part`), 'half');
      await open();
      expect(await readdir(folder)).toEqual([`file-x.${process.ppid}.part`]);
    }));

  it('loses bytes that nobody knows when they are a day old, and no others', () =>
    withFolder(async ({ folder, open }) => {
      const files = await open();
      const known = await (await files.receive(oneByOne('x'))).keep(mine);
      for (const [name, ageMs] of [
        ['file-old', 25 * 3_600_000],
        ['file-new', 60_000],
        [known.id, 25 * 3_600_000],
      ] as const) {
        await writeFile(join(folder, name), 'x');
        const at = new Date(now().getTime() - ageMs);
        await utimes(join(folder, name), at, at);
      }
      await open();
      expect((await readdir(folder)).sort()).toEqual([known.id, 'file-new'].sort());
    }));

  it('is left alone where the database is only a stand-in', async () => {
    const { folder, dispose } = await openInTemporary();
    const database = await openSqlite(':memory:', { now });
    await mkdir(folder);
    await writeFile(join(folder, 'file-x'), 'x');
    await utimes(join(folder, 'file-x'), 0, 0);
    await createStoredFiles({ database, folder, limits: contractLimits, clock: manualClock(now()), log });
    expect(await readFile(join(folder, 'file-x'), 'utf8')).toBe('x');
    await database.close();
    await dispose();
  });
});

describe('a disk that is full', () => {
  it.each([
    ['the folder', Object.assign(new Error('no space'), { code: 'ENOSPC' })],
    ['SQLite', Object.assign(new Error('full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 })],
    ['PostgreSQL', Object.assign(new Error('full'), { code: '53100' })],
  ])('is told as such where it is that of %s, and nothing counts any more', async (_name, failure) => {
    const { database, dispose } = await openInTemporary();
    let fails = true;
    const keeper: ByteKeeper = {
      ...keepInDatabase({ database, now }),
      async write(draft, bytes) {
        for await (const _ of bytes) if (fails) throw failure;
        return keepInDatabase({ database, now }).write(draft, oneByOne('x'));
      },
    };
    const limits = { maxFileBytes: 100_000, maxTotalBytes: 100_000 };
    const files = await createStoredFiles({ database, folder: '/nowhere', limits, clock: manualClock(), log, keeper });
    for (let count = 0; count < 3; count++) {
      await expect(files.receive(oneByOne('x'.repeat(50_000)))).rejects.toMatchObject({
        code: 'storage_unavailable',
        details: { reason: 'full' },
        cause: failure,
      });
    }
    fails = false;
    expect(await (await files.receive(oneByOne('x'.repeat(50_000)))).keep(mine)).toMatchObject({ sizeBytes: 1 });
    await dispose();
  });
});
