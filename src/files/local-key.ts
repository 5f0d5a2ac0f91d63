import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { replaceFileSync } from './files.ts';

/**
 * The key of a running server for the commands of its own machine: a file of the data folder that its owner alone may read.
 * Whoever can read it could as well make keys there, so it gives nobody more than he has.
 */
export interface LocalKey {
  key: string;
  /** Writes the file, for the port that the server listens on. Throws what the disk throws. */
  publish(port: number): void;
  /** Takes the file away, as far as it is there. */
  withdraw(): void;
}

const content = z.object({ port: z.int(), key: z.string().min(1) });

/** A key that was never there before, and ends with the process. */
export function createLocalKey(dataFolder: string): LocalKey {
  const path = pathIn(dataFolder);
  const key = `sk-hearth-local-${randomBytes(32).toString('base64url')}`;
  return {
    key,
    publish: (port) => replaceFileSync(path, `${JSON.stringify({ port, key } satisfies z.infer<typeof content>)}\n`),
    withdraw: () => rmSync(path, { force: true }),
  };
}

/** The key of the server on this machine that listens on `port`; null: none was left there, or for another port. */
export function readLocalKey(dataFolder: string, port: number): string | null {
  try {
    const found = content.parse(JSON.parse(readFileSync(pathIn(dataFolder), 'utf8')));
    return found.port === port ? found.key : null;
  } catch {
    // Not there, not ours to read, or not whole: the command goes on without.
    return null;
  }
}

function pathIn(dataFolder: string): string {
  return join(dataFolder, 'local-key.json');
}
