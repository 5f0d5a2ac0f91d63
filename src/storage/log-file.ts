import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';

/** Puts what was written to a file on the disk, on another thread. */
export interface DiskSync {
  /** Resolves when all that was written to it before the call is on the disk; whoever waits at once shares one write. */
  sync(): Promise<void>;
  close(): void;
}

const syncData = promisify(fdatasync);

/**
 * `path`: of the file, which must be there at the first `sync` and stay as long as this is open. Not for files that somebody
 * locks: the locks of a process on a file end with the first descriptor of it that is closed.
 */
export function createDiskSync(path: string, write: (descriptor: number) => Promise<void> = syncData): DiskSync {
  let descriptor: number | null = null;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  const begin = (): Promise<void> => {
    next = null;
    descriptor ??= openSync(path, 'r+');
    const own = write(descriptor).finally(() => {
      if (running === own) running = null;
    });
    running = own;
    return own;
  };
  return {
    async sync() {
      // One that has begun may have passed what was written since.
      if (running === null) return begin();
      next ??= running.then(begin, begin);
      return next;
    },
    close() {
      if (descriptor !== null) closeSync(descriptor);
      descriptor = null;
    },
  };
}
