import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderInUse, takeFolderLock, waitForFolderLock } from '../../src/files/folder-lock.ts';
import { manualClock } from '../support/manual-clock.ts';

let folder: string;
let other: ChildProcess;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
  other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
});
afterEach(() => {
  other.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const path = () => join(folder, 'server.lock');
const take = () => takeFolderLock(folder, manualClock());
const heldBy = (value: object | string, ageMs = 0) => {
  writeFileSync(path(), typeof value === 'string' ? value : JSON.stringify(value));
  const at = new Date(Date.now() - ageMs);
  utimesSync(path(), at, at);
};
const failure = () => {
  try {
    take().release();
    return null;
  } catch (error) {
    if (error instanceof FolderInUse) return error;
    throw error;
  }
};

describe('the lock of a data folder', () => {
  it('is held by this process, and nothing of it stays behind', () => {
    const lock = take();
    expect(JSON.parse(readFileSync(path(), 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
    expect(readdirSync(folder)).toEqual(['server.lock']);
    lock.release();
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is refused while another process holds it, which is named', () => {
    heldBy({ pid: other.pid, host: hostname(), born: null }, 3_600_000);
    expect(failure()).toMatchObject({ pid: other.pid, host: null });
    expect(readdirSync(folder)).toEqual(['server.lock']);
  });

  it('is taken over from a process that is no more', async () => {
    const { pid } = other;
    other.kill('SIGKILL');
    await new Promise((resolve) => other.once('exit', resolve));
    heldBy({ pid, host: hostname(), born: null });
    expect(failure()).toBeNull();
  });

  it('is taken over from an earlier process of the same number, this one’s own included', () => {
    heldBy({ pid: other.pid, host: hostname(), born: 'another boot 1' });
    expect(failure()).toBeNull();
    heldBy({ pid: process.pid, host: hostname(), born: null });
    expect(failure()).toBeNull();
  });

  it('of another machine, or container, is held as long as that shows that it lives', () => {
    heldBy({ pid: 1, host: 'elsewhere', born: null }, 10_000);
    expect(failure()).toMatchObject({ pid: 1, host: 'elsewhere' });
    heldBy({ pid: 1, host: 'elsewhere', born: null }, 60_000);
    expect(failure()).toBeNull();
  });

  it('that is not whole is held for a moment, in which it may be written', () => {
    heldBy('{"pi', 0);
    expect(failure()).toMatchObject({ pid: null });
    heldBy('', 60_000);
    expect(failure()).toBeNull();
  });

  it('shows that its holder lives, and leaves what another one has taken over alone', () => {
    const clock = manualClock();
    const lock = takeFolderLock(folder, clock);
    const old = new Date(Date.now() - 3_600_000);
    utimesSync(path(), old, old);
    clock.advance(5_000);
    expect(statSync(path()).mtimeMs).toBeGreaterThan(old.getTime());
    const others = JSON.stringify({ pid: 1, host: 'elsewhere', born: null });
    heldBy(others);
    clock.advance(5_000);
    lock.release();
    expect(readFileSync(path(), 'utf8')).toBe(others);
  });

  describe('that is left by somebody who cannot be seen', () => {
    const wait = () => {
      const clock = manualClock();
      const waits: (string | null)[] = [];
      const lock = waitForFolderLock(folder, {
        clock,
        signal: new AbortController().signal,
        onWait: ({ host }) => void waits.push(host),
      });
      return { clock, waits, lock };
    };

    it('is waited for until that one is surely gone', async () => {
      heldBy({ pid: 1, host: 'elsewhere', born: null }, 10_000);
      const { clock, waits, lock } = wait();
      expect(waits).toEqual(['elsewhere']);
      // As the file is after a minute in which nobody wrote it.
      heldBy({ pid: 1, host: 'elsewhere', born: null }, 60_000);
      clock.advance(1_000);
      (await lock).release();
      expect(readdirSync(folder)).toEqual([]);
    });

    it('is refused when that one shows that it lives', async () => {
      heldBy({ pid: 1, host: 'elsewhere', born: null }, 10_000);
      const { clock, lock } = wait();
      heldBy({ pid: 1, host: 'elsewhere', born: null }, 0);
      clock.advance(1_000);
      await expect(lock).rejects.toMatchObject({ pid: 1, host: 'elsewhere' });
    });

    it('is refused at once where its process is seen to run', async () => {
      heldBy({ pid: other.pid, host: hostname(), born: null });
      const { waits, lock } = wait();
      await expect(lock).rejects.toMatchObject({ pid: other.pid });
      expect(waits).toEqual([]);
    });
  });
});
