import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { replaceFile } from '../../files/files.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Calibration, CalibrationKey } from './run-calibration.ts';

export interface CalibrationStore {
  /** Null when there is none, or none that can be read: then it is measured and saved again. Never rejects. */
  load(key: CalibrationKey): Promise<Calibration | null>;
  /** Replaces what is there; a provisional one is not kept. A failure is logged and forgotten: a model must not fail to load because of it. */
  save(key: CalibrationKey, calibration: Calibration): Promise<void>;
}

const defaultMaxCount = 100;
const maxFileBytes = 64 * 1024;
/** Raised when a calibration of an older form must not be used any more. */
const formatVersion = 2;
const fileName = /^[0-9a-f]{32}\.json$/;
const temporaryName = /^[0-9a-f]{32}\.json\.[0-9a-f-]+\.tmp$/;
/** A temporary file of this age belongs to no save: it was left by a process that died. */
const staleMs = 10 * 60_000;

const threads = z.int().min(1).max(4_096);
const positive = z.number().positive();
const rates = z.record(z.string().regex(/^[1-9]\d{0,6}$/), positive);
const storedFile = z.object({
  version: z.literal(formatVersion),
  key: z.object({ model: z.string(), cpuModel: z.string(), cores: z.number(), engineVersion: z.string() }),
  calibration: z.object({
    decodeThreads: threads,
    prefillThreads: threads,
    libuvThreads: threads,
    batchTokens: z.int().min(1).max(1_048_576),
    decodeTokensPerSecond: rates,
    prefillTokensPerSecond: rates,
    costOfTokens: z.array(z.number().min(1)).min(1).max(1_024),
    measuredAt: z.iso.datetime(),
    provisional: z.literal(false),
  }),
});

/**
 * Keeps calibrations as one small JSON file per key. `folder` is made when the first one is saved.
 * `maxCount`: beyond it those that were not used for longest are deleted; default 100.
 */
export function createCalibrationStore(deps: {
  folder: string;
  clock: Pick<Clock, 'now'>;
  log: Pick<Logger, 'warn'>;
  maxCount?: number;
}): CalibrationStore {
  const { folder, clock, log } = deps;
  const maxCount = deps.maxCount ?? defaultMaxCount;
  const pathOf = (key: CalibrationKey) => join(folder, `${digest(key)}.json`);

  const prune = async () => {
    const files: { path: string; usedMs: number }[] = [];
    for (const name of await readdir(folder)) {
      // Whatever else lies here is not ours to delete.
      if (!fileName.test(name) && !temporaryName.test(name)) continue;
      const path = join(folder, name);
      // Another save may have deleted it meanwhile.
      const usedMs = (await lstat(path).catch(() => null))?.mtimeMs;
      if (usedMs === undefined) continue;
      if (fileName.test(name)) files.push({ path, usedMs });
      else if (clock.now().getTime() - usedMs > staleMs) await rm(path, { force: true });
    }
    files.sort((a, b) => b.usedMs - a.usedMs);
    for (const { path } of files.slice(maxCount)) await rm(path, { force: true });
  };

  return {
    async load(key) {
      const path = pathOf(key);
      try {
        const text = await readSmallFile(path);
        if (text === null) return null;
        const stored = storedFile.parse(JSON.parse(text));
        if (digest(stored.key) !== digest(key)) throw new Error('the file belongs to another key');
        const { calibration } = stored;
        if (Math.max(calibration.decodeThreads, calibration.prefillThreads) > key.cores) {
          throw new Error('the file names more threads than there are cores');
        }
        const now = clock.now();
        // Only the order of deletion hangs on it: a folder that cannot be written to still gives its calibrations.
        await utimes(path, now, now).catch(() => {});
        return calibration;
      } catch (error) {
        log.warn({ err: error }, 'a stored calibration cannot be used and will be measured again');
        return null;
      }
    },
    async save(key, calibration) {
      if (calibration.provisional) return;
      const path = pathOf(key);
      try {
        await mkdir(folder, { recursive: true });
        const text = `${JSON.stringify({ version: formatVersion, key, calibration })}\n`;
        await replaceFile(path, text, `${path}.${crypto.randomUUID()}.tmp`);
        const now = clock.now();
        await utimes(path, now, now);
        await prune();
      } catch (error) {
        log.warn({ err: error }, 'a calibration could not be stored; the next load measures again');
      }
    },
  };
}

/** The fields by name, so that their order in an object does not matter. */
function digest(key: CalibrationKey): string {
  const fields = [key.model, key.cpuModel, key.cores, key.engineVersion];
  return createHash('sha256').update(JSON.stringify(fields)).digest('hex').slice(0, 32);
}

/** Null when the file is not there. Rejects for anything that is not a small regular file: a pipe would never end. */
async function readSmallFile(path: string): Promise<string | null> {
  try {
    const status = await lstat(path);
    if (!status.isFile() || status.size > maxFileBytes) throw new Error('not a small regular file');
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
