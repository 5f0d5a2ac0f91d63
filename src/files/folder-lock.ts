import { execFileSync } from 'node:child_process';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Clock, delay } from '../core/clock.ts';
import { isOtherProcess } from './processes.ts';

/** Held as long as the server of a folder runs. */
export interface FolderLock {
  /** Lets the next one have the folder. More than once is fine. */
  release(): void;
}

/** The folder is held by another server that runs. */
export class FolderInUse extends Error {
  /** Process that holds it; null: it cannot be told. */
  readonly pid: number | null;
  /** Machine or container that it runs in, where that is another one. */
  readonly host: string | null;
  /** Whether the process was found to run; otherwise its file alone was found, and it may be gone. */
  readonly isSeen: boolean;

  constructor(pid: number | null, host: string | null) {
    super(`held by process ${pid ?? 'unknown'}${host === null ? '' : ` of ${host}`}`);
    this.pid = pid;
    this.host = host;
    this.isSeen = pid !== null && host === null;
  }
}

const holder = z.object({ pid: z.int().positive(), host: z.string(), born: z.string().nullable() });
type Holder = z.infer<typeof holder>;

/** So often a holder shows that it lives: on another machine, or in another container, its number says nothing. */
const beatMs = 5_000;
/** So long without that, and it is gone. */
const silenceMs = 4 * beatMs;
/** How often is looked whether somebody who cannot be seen has done so. */
const lookMs = 1_000;

/**
 * Takes a folder for this process, or throws `FolderInUse`. What a process that is no more left there is taken over. A process of
 * this machine is looked for by its number and its birth, so that a later one of the same number is not taken for it; one of
 * another machine, or container, by the time at which it last touched the file, as the folder's own disk tells it.
 */
export function takeFolderLock(folder: string, clock: Pick<Clock, 'every'>): FolderLock {
  const path = join(folder, 'server.lock');
  const own: Holder = { pid: process.pid, host: hostname(), born: bornOf(process.pid) };
  const text = `${JSON.stringify(own)}\n`;
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, text, { mode: 0o600 });
  try {
    // A link is there or it is not: of several that try at once one has it.
    while (!linked(mine, path)) removeAbandoned(path, mine);
  } finally {
    rmSync(mine, { force: true });
  }
  const isOurs = () => read(path) === text;
  const beat = clock.every(beatMs, () => {
    if (!isOurs()) return;
    try {
      // Written again: the time of the disk counts, not ours.
      writeFileSync(path, text, { flag: 'r+' });
    } catch {
      // A disk that takes nothing now: on this machine the process is seen all the same.
    }
  });
  return {
    release() {
      beat.cancel();
      if (isOurs()) rmSync(path, { force: true });
    },
  };
}

/**
 * As `takeFolderLock`. Where it cannot be seen whether the holder lives, as of one in another container, waits until it has shown
 * that, or has been silent for so long that it is gone. `onWait`: called once, before that. Rejects with `FolderInUse`, or with the
 * reason of the signal.
 */
export async function waitForFolderLock(
  folder: string,
  { clock, signal, onWait }: { clock: Clock; signal: AbortSignal; onWait: (holder: FolderInUse) => void },
): Promise<FolderLock> {
  const path = join(folder, 'server.lock');
  let touchedMs: number | null = null;
  for (;;) {
    try {
      return takeFolderLock(folder, clock);
    } catch (error) {
      if (!(error instanceof FolderInUse) || error.isSeen) throw error;
      const latestMs = touchedAt(path);
      if (touchedMs !== null && latestMs !== null && latestMs !== touchedMs) throw error;
      if (touchedMs === null) onWait(error);
      touchedMs = latestMs ?? touchedMs;
    }
    await delay(clock, lookMs, signal);
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    // Some file systems have no links; there two that start in the same instant may both have it.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    if (read(to) !== null) return false;
    writeFileSync(to, readFileSync(from), { flag: 'wx', mode: 0o600 });
    return true;
  }
}

/** Takes the file of a process away that is no more. `fresh`: a file that was written just now. Throws `FolderInUse`. */
function removeAbandoned(path: string, fresh: string): void {
  const text = read(path);
  // It was given back in this moment.
  if (text === null) return;
  const found = parsed(text);
  const isSilent = silenceOf(path, fresh) > silenceMs;
  if (found === null) {
    // Cut off by a loss of power, or being written.
    if (!isSilent) throw new FolderInUse(null, null);
  } else if (found.host !== hostname()) {
    if (!isSilent) throw new FolderInUse(found.pid, found.host);
  } else if (isOtherProcess(found.pid) && (found.born === null || found.born === bornOf(found.pid))) {
    throw new FolderInUse(found.pid, null);
  }
  // Moved away first: another one may have taken the folder since it was looked at.
  const aside = `${path}.old.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    // Another one was faster.
    return;
  }
  if (read(aside) !== text) linked(aside, path);
  rmSync(aside, { force: true });
}

/** When a file was last written; null: it is not there. */
function touchedAt(path: string): number | null {
  try {
    return statSync(path).mtimeMs;
  } catch {
    // It went in this moment.
    return null;
  }
}

/** For how long a file was not touched when the other one was, in milliseconds. */
function silenceOf(path: string, fresh: string): number {
  try {
    return statSync(fresh).mtimeMs - statSync(path).mtimeMs;
  } catch {
    // It went in this moment.
    return Number.POSITIVE_INFINITY;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not there.
    return null;
  }
}

function parsed(text: string): Holder | null {
  try {
    return holder.parse(JSON.parse(text));
  } catch {
    // Not whole.
    return null;
  }
}

/** When a process began, and in which run of the machine; null: it cannot be told, as on Windows. */
function bornOf(pid: number): string | null {
  try {
    if (process.platform === 'darwin') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', `${pid}`], { encoding: 'utf8' }).trim() || null;
    }
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The name of the program, in brackets, may hold anything.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)\s/s, '');
    return `${boot} ${fields.split(' ')[19]}`;
  } catch {
    return null;
  }
}
