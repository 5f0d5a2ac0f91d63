import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptText } from '../../src/core/kept.ts';
import { inMemory, openStorage, type Storage } from '../../src/storage/storage.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

const hourMs = 3_600_000;
const limits = { maxAgeMs: 10 * hourMs, maxTexts: 3, maxBytes: 4_000 };
const text = (id: string, changes: Partial<KeptText> = {}): KeptText => ({
  id,
  owner: 'me',
  isOpen: false,
  text: `text of ${id}`,
  log: null,
  ...changes,
});

let folder: string;
let clock: ManualClock;
let warnings: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-storage-'));
  clock = manualClock();
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (path = inMemory): Storage =>
  openStorage({ path, limits, clock, log: { warn: (...args: unknown[]) => void warnings.push(args) } as never });
const inFolder = () => join(folder, 'data', 'hearth.sqlite');

describe('kept texts', () => {
  it('are there for their owner alone, with their log', () => {
    const { kept } = open();
    kept.put(text('a', { log: 'events' }));
    expect(kept.get('a', 'me')).toBe('text of a');
    expect(kept.logOf('a', 'me')).toBe('events');
    expect(kept.get('a', 'you')).toBeNull();
    expect(kept.logOf('a', 'you')).toBeNull();
    expect(kept.remove('a', 'you')).toBe(false);
    expect(kept.remove('a', 'me')).toBe(true);
    expect(kept.get('a', 'me')).toBeNull();
    expect(kept.remove('a', 'me')).toBe(false);
  });

  it('are replaced by one of the same id', () => {
    const { kept } = open();
    kept.put(text('a'));
    kept.put(text('a', { text: 'new' }));
    expect(kept.get('a', 'me')).toBe('new');
  });

  it('go when they were not read for long', () => {
    const { kept } = open();
    kept.put(text('a'));
    kept.put(text('b'));
    clock.advance(6 * hourMs);
    expect(kept.get('a', 'me')).not.toBeNull();
    clock.advance(6 * hourMs);
    expect(kept.get('b', 'me')).toBeNull();
    expect(kept.get('a', 'me')).not.toBeNull();
  });

  it('make room: the longest unread ones go first, open ones never', () => {
    const { kept } = open();
    for (const [index, id] of ['open', 'b', 'c', 'd'].entries()) {
      kept.put(text(id, { isOpen: index === 0 }));
      clock.advance(hourMs);
    }
    expect(['open', 'b', 'c', 'd'].filter((id) => kept.get(id, 'me') !== null)).toEqual(['open', 'c', 'd']);
    clock.advance(hourMs);
    kept.put(text('large', { text: 'x'.repeat(1_000) }));
    for (const id of ['l2', 'l3']) kept.put(text(id, { text: 'x'.repeat(1_000), log: 'y'.repeat(0) }));
    expect(kept.get('open', 'me')).not.toBeNull();
    expect(kept.get('c', 'me')).toBeNull();
  });

  it('keep to the size of all together, and refuse one that is out of proportion', () => {
    const { kept } = open();
    expect(() => kept.put(text('huge', { text: 'x'.repeat(1_001) }))).toThrow(
      expect.objectContaining({ code: 'storage_unavailable' }),
    );
    kept.put(text('a', { text: 'é'.repeat(500) }));
    expect(kept.get('a', 'me')).toHaveLength(500);
  });

  it('outlive the process, and a kill in the middle of a write', () => {
    const first = open(inFolder());
    first.kept.put(text('a'));
    first.close();
    const script = `
      import { openStorage } from ${JSON.stringify(join(import.meta.dirname, '../../src/storage/storage.ts'))};
      const { kept } = openStorage({ path: ${JSON.stringify(inFolder())}, limits: ${JSON.stringify(limits)},
        clock: { now: () => new Date(${clock.now().getTime()}) }, log: { warn() {} } });
      kept.put({ id: 'b', owner: 'me', isOpen: true, text: 'unfinished', log: null });
      process.kill(process.pid, 'SIGKILL');
    `;
    expect(spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script]).signal).toBe('SIGKILL');
    const { kept, close } = open(inFolder());
    expect(kept.get('a', 'me')).toBe('text of a');
    expect(kept.abandoned()).toEqual([text('b', { isOpen: true, text: 'unfinished' })]);
    close();
    expect(warnings).toEqual([]);
  });

  it('of a running process are not abandoned', () => {
    const { kept, close } = open(inFolder());
    kept.put(text('a', { isOpen: true }));
    const database = new DatabaseSync(inFolder());
    database.prepare('UPDATE kept_texts SET pid = ?').run(process.ppid);
    database.close();
    expect(kept.abandoned()).toEqual([]);
    close();
  });

  it('can be read by their owner alone', () => {
    const { kept, close } = open(inFolder());
    kept.put(text('a'));
    for (const ending of ['', '-wal', '-shm']) expect(statSync(inFolder() + ending).mode & 0o077).toBe(0);
    close();
  });

  it('begin anew where the file is damaged, which is put aside and said', () => {
    open(inFolder()).close();
    writeFileSync(inFolder(), 'this is no database, and it is long enough to look like one '.repeat(100));
    const { kept, close } = open(inFolder());
    kept.put(text('a'));
    expect(kept.get('a', 'me')).toBe('text of a');
    close();
    expect(readFileSync(`${inFolder()}.damaged`, 'utf8')).toMatch(/^this is no database/);
    expect(warnings).toHaveLength(1);
  });

  it('live in memory where no file can be written', () => {
    writeFileSync(join(folder, 'file'), '');
    const { kept } = open(join(folder, 'file', 'hearth.sqlite'));
    kept.put(text('a'));
    expect(kept.get('a', 'me')).toBe('text of a');
    expect(warnings).toHaveLength(2);
  });
});
