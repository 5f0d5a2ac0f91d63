import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { replaceFile } from '../../files/files.ts';
import type { Logger } from '../../observe/logger.ts';
import { type SavedPull, savedPull } from './pull-task.ts';

const savedPulls = z.object({ version: z.literal(1), pulls: z.array(savedPull).max(1_000) });

/** The pulls that are not finished, in a small file of the data folder. */
interface SavedPulls {
  /** Never rejects: a list that cannot be read is an empty one, and the log says so. */
  load(): Promise<SavedPull[]>;
  /** Writes one after the other; a failure is logged, since a pull can do without its entry. */
  save(pulls: readonly SavedPull[]): Promise<void>;
}

/** `filePath`: `pulls.json`. */
export function createSavedPulls(deps: { filePath: string; log: Logger }): SavedPulls {
  const { filePath, log } = deps;
  let last: Promise<void> = Promise.resolve();
  return {
    async load() {
      let text: string;
      try {
        text = await readFile(filePath, 'utf8');
      } catch {
        // The first start has no list.
        return [];
      }
      try {
        return savedPulls.parse(JSON.parse(text)).pulls;
      } catch (error) {
        log.warn({ err: error }, 'the list of pulls cannot be read; it begins empty, parts on disk are kept');
        return [];
      }
    },
    save(pulls) {
      // Encoded now: the pulls go on changing while an earlier write is under way.
      const text = `${JSON.stringify(savedPulls.encode({ version: 1, pulls: [...pulls] }))}\n`;
      last = last.then(() =>
        replaceFile(filePath, text).catch((error: unknown) => {
          log.warn({ err: error }, 'the list of pulls cannot be written');
        }),
      );
      return last;
    },
  };
}
