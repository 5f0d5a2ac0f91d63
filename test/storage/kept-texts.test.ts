import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSharedTexts } from '../../src/storage/shared-texts.ts';
import { openSqlite } from '../../src/storage/sqlite.ts';
import { type Database, inMemory, openStorage, type Storage } from '../../src/storage/storage.ts';
import {
  type KeptTextsUnderTest,
  keepLimits as limits,
  runKeptTextsContract,
  keptText as text,
} from '../contracts/kept-texts.contract.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';
import { openTestSchema, postgresUrl } from '../support/postgres.ts';

let folder: string;
let clock: ManualClock;
let warnings: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-storage-'));
  clock = manualClock();
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (path = inMemory): Promise<Storage> =>
  openStorage({ path, limits, clock, log: { warn: (...args: unknown[]) => void warnings.push(args) } as never });
const inFolder = () => join(folder, 'data', 'hearth.sqlite');

runKeptTextsContract('a file', async () => {
  const manual = manualClock();
  const storage = await openStorage({ path: inMemory, limits, clock: manual, log: { warn: () => {} } });
  return { kept: storage.kept, advance: async (ms) => manual.advance(ms), dispose: storage.close };
});

/** Time is that of the database, so that it is the rows that grow older. */
function shared(database: Database, dispose: () => Promise<void>): KeptTextsUnderTest {
  return {
    kept: createSharedTexts({ database, instance: 'one', limits }),
    advance: (ms) =>
      database.transaction(async (tables) => {
        await tables
          .updateTable('shared_texts')
          .set(({ eb }) => ({ used_at: eb('used_at', '-', BigInt(ms)) }))
          .execute();
      }),
    dispose,
  };
}

runKeptTextsContract('a database of SQLite', async () => {
  const database = await openSqlite(inMemory, { now: () => new Date() });
  return shared(database, () => database.close());
});

if (postgresUrl === undefined) {
  describe('kept texts in PostgreSQL', () => {
    it.skip('are asked where HEARTH_TEST_POSTGRES names one by its URL', () => {});
  });
} else {
  runKeptTextsContract('PostgreSQL', async () => {
    const { open: openSchema, dispose } = await openTestSchema(postgresUrl!);
    return shared(await openSchema(), dispose);
  });

  describe('kept texts of replicas', () => {
    it('are told as abandoned to one of them when the process that worked on them is no more', async () => {
      const { open: openSchema, dispose } = await openTestSchema(postgresUrl!);
      const [first, second, third] = await Promise.all(
        ['one', 'two', 'three'].map(async (instance) => {
          const database = await openSchema();
          return { database, kept: createSharedTexts({ database, instance, limits }) };
        }),
      );
      const say = (id: string, secondsAgo: number) =>
        first!.database.transaction(async (tables) => {
          const seen_at = BigInt(Date.now() - secondsAgo * 1_000);
          const row = { id, pid: 1n, seen_at };
          await tables
            .insertInto('instances')
            .values(row)
            .onConflict((on) => on.column('id').doUpdateSet(row))
            .execute();
        });
      for (const id of ['one', 'two', 'three']) await say(id, 5);
      await first!.kept.put(text('a', { isOpen: true, log: 'events' }));
      for (const { kept } of [first!, second!]) expect(await kept.abandoned()).toEqual([]);
      expect(await third!.kept.get('a', 'me')).toBe('text of a');
      await say('one', 61);
      const told = await Promise.all([second!.kept.abandoned(), third!.kept.abandoned()]);
      expect(told.flat()).toEqual([text('a', { isOpen: true, log: 'events' })]);
      await dispose();
    });
  });
}

describe('kept texts in a file', () => {
  it('outlive the process, and a kill in the middle of a write', async () => {
    const first = await open(inFolder());
    await first.kept.put(text('a'));
    await first.close();
    const script = `
      import { openStorage } from ${JSON.stringify(join(import.meta.dirname, '../../src/storage/storage.ts'))};
      const { kept } = await openStorage({ path: ${JSON.stringify(inFolder())}, limits: ${JSON.stringify(limits)},
        clock: { now: () => new Date(${clock.now().getTime()}) }, log: { warn() {} } });
      await kept.put({ id: 'b', owner: 'me', isOpen: true, text: 'unfinished', log: null });
      process.kill(process.pid, 'SIGKILL');
    `;
    expect(spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script]).signal).toBe('SIGKILL');
    const { kept, close } = await open(inFolder());
    expect(await kept.get('a', 'me')).toBe('text of a');
    expect(await kept.abandoned()).toEqual([text('b', { isOpen: true, text: 'unfinished' })]);
    await close();
    expect(warnings).toEqual([]);
  });

  it('of a running process are not abandoned', async () => {
    const { kept, close } = await open(inFolder());
    await kept.put(text('a', { isOpen: true }));
    const database = new DatabaseSync(inFolder());
    database.prepare('UPDATE kept_texts SET pid = ?').run(process.ppid);
    database.close();
    expect(await kept.abandoned()).toEqual([]);
    await close();
  });

  it('can be read by their owner alone', async () => {
    const { kept, close } = await open(inFolder());
    await kept.put(text('a'));
    for (const ending of ['', '-wal', '-shm']) expect(statSync(inFolder() + ending).mode & 0o077).toBe(0);
    await close();
  });

  it('begin anew where the file is damaged, which is put aside and said', async () => {
    await (await open(inFolder())).close();
    writeFileSync(inFolder(), 'this is no database, and it is long enough to look like one '.repeat(100));
    const { kept, close } = await open(inFolder());
    await kept.put(text('a'));
    expect(await kept.get('a', 'me')).toBe('text of a');
    await close();
    expect(readFileSync(`${inFolder()}.damaged`, 'utf8')).toMatch(/^this is no database/);
    expect(warnings).toHaveLength(1);
  });

  it('live in memory where no file can be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { kept } = await open(join(folder, 'file', 'hearth.sqlite'));
    await kept.put(text('a'));
    expect(await kept.get('a', 'me')).toBe('text of a');
    expect(warnings).toHaveLength(1);
  });
});
