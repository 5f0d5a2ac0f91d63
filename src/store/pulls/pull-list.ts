import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeWhole } from '../../files/files.ts';
import type { Logger } from '../../observe/logger.ts';
import { type SavedPull, savedPull } from './pull-job.ts';

const listSchema = z.object({ version: z.literal(1), pulls: z.array(savedPull).max(1_000) });

/** The pulls that are not finished, in a small file of the data folder. */
export interface PullList {
  /** Never rejects: a list that cannot be read is an empty one, and the log says so. */
  load(): Promise<SavedPull[]>;
  /** Writes one after the other; a failure is logged, since a pull can do without its entry. */
  save(pulls: readonly SavedPull[]): Promise<void>;
}

export function createPullList(deps: { filePath: string; log: Logger }): PullList {
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
        return listSchema.parse(JSON.parse(text)).pulls;
      } catch (error) {
        log.warn({ err: error }, 'the list of pulls cannot be read; it begins empty, parts on disk are kept');
        return [];
      }
    },
    save(pulls) {
      const entries = pulls.map(({ id, name, model, quantization, repository, revision, files, ...rest }) => ({
        id,
        name,
        model,
        quantization,
        repository,
        revision,
        files,
        startedAt: rest.startedAt,
        isStopped: rest.isStopped,
      }));
      const text = `${JSON.stringify({ version: 1, pulls: entries })}\n`;
      last = last.then(() =>
        writeWhole(filePath, text).catch((error: unknown) => {
          log.warn({ err: error }, 'the list of pulls cannot be written');
        }),
      );
      return last;
    },
  };
}
