import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { largestFileBytes } from './yaml-file.ts';

/** Mounts of a NAS lose events, so the content is looked at now and then, too. */
const pollMs = 10_000;
/** Editors write in several steps. */
const settleMs = 250;

/**
 * Calls `onChange` when the content of a file is another one than was read last: told by the system, or by a look every ten seconds.
 * The folder is watched, since editors replace files. A file that is gone or empty for a moment is no change. `lastRead`: what
 * `fingerprint` said of it when it was read. Returns what ends it.
 */
export function watchFile(
  filePath: string,
  deps: { clock: Pick<Clock, 'after' | 'every'>; lastRead: () => string | null; onChange: () => void },
): () => void {
  let pending: { cancel(): void } | null = null;
  const look = () => {
    const now = fingerprint(filePath);
    if (now !== null && now !== deps.lastRead()) deps.onChange();
  };
  const poll = deps.clock.every(pollMs, look);
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(dirname(filePath), { persistent: false }, (_event, name) => {
      if (name !== null && name !== basename(filePath)) return;
      pending?.cancel();
      pending = deps.clock.after(settleMs, look);
    });
    // A watch that breaks leaves the poll.
    watcher.on('error', () => watcher?.close());
  } catch {
    // Too many watches, or a file system without them: the poll is there.
  }
  return () => {
    poll.cancel();
    pending?.cancel();
    watcher?.close();
  };
}

/** Tells the contents of a file apart; null: it is not there, or empty, as some editors leave it before they write. */
export function fingerprint(filePath: string): string | null {
  try {
    const stats = statSync(filePath);
    // To read a pipe would wait for whoever writes to it. Whoever reads the configuration says what is wrong with these.
    if (!stats.isFile()) return `no file ${stats.ino}`;
    if (stats.size > largestFileBytes) return `too large ${stats.size} ${stats.mtimeMs}`;
    const content = readFileSync(filePath);
    return content.length === 0 ? null : createHash('sha256').update(content).digest('hex');
  } catch {
    return null;
  }
}
