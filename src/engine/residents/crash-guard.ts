import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { StateFile } from '../../files/state-file.ts';
import { type FileStamp, fileStamp } from './file-stamp.ts';

/** A model's process that ended by itself, or a model that is of no use. */
export interface Crash {
  id: string;
  filePath: string;
  /**
   * A file whose process died in its load is to blame itself; what happens later may have other reasons. `damaged`: it
   * was seen to be.
   */
  during: 'load' | 'run' | 'damaged';
  /** What is known of it, for the operator. */
  reason: string;
}

/** Remembers which models keep crashing and refuses them, so that a bad file cannot loop. */
export interface CrashGuard {
  record(crash: Crash): void;
  /** Throws `model_quarantined` with the reason, and with the waiting time where waiting helps. */
  check(id: string): void;
  /** Why a model is refused, or null. */
  reasonFor(id: string): string | null;
  /** An operator asked for the model: it gets a new chance. */
  forgive(id: string): void;
}

const maxRunCrashes = 3;
const maxLoadDeaths = 2;
const windowMs = 10 * 60_000;

const badFile = z.object({
  filePath: z.string(),
  stamp: z.string(),
  /** Loads in which its process died. */
  deaths: z.int().min(0),
  /** It was seen to be damaged. */
  damaged: z.boolean().default(false),
  reason: z.string(),
});

/** What outlives the process: files that ended the process that loaded them, and damaged ones, by id. */
export const quarantineFile = z.object({ version: z.literal(1), files: z.record(z.string(), badFile) });

/**
 * Two rules. A file that is damaged, or whose process died twice while it was loaded, is refused until the file changes,
 * also after a restart.
 * A model that crashed three times within ten minutes while it answered rests until the first of these is ten minutes ago.
 * `stored`: where the former is kept. `stampOf`: changes when a file does.
 */
export function createCrashGuard(deps: {
  clock: Clock;
  stored: StateFile<z.infer<typeof quarantineFile>>;
  stampOf?: FileStamp;
}): CrashGuard {
  const { clock, stored, stampOf = fileStamp } = deps;
  const files = new Map(Object.entries(stored.read()?.files ?? {}));
  const runCrashesAtMs = new Map<string, number[]>();

  const save = () => stored.write({ version: 1, files: Object.fromEntries(files) });
  const recentCrashes = (id: string): number[] => {
    const kept = (runCrashesAtMs.get(id) ?? []).filter((at) => clock.monotonicMs() - at < windowMs);
    if (kept.length === 0) runCrashesAtMs.delete(id);
    else runCrashesAtMs.set(id, kept);
    return kept;
  };
  /** The deaths of the file as it is now; those of an older content no longer count. */
  const deathsOf = (id: string) => {
    const known = files.get(id);
    if (!known) return null;
    if (stampOf(known.filePath) === known.stamp) return known;
    files.delete(id);
    save();
    return null;
  };
  const bad = (id: string) => {
    const known = deathsOf(id);
    return known && (known.damaged || known.deaths >= maxLoadDeaths) ? known : null;
  };

  return {
    record({ id, filePath, during, reason }) {
      if (during === 'run') {
        runCrashesAtMs.set(id, [...recentCrashes(id), clock.monotonicMs()]);
        return;
      }
      const stamp = stampOf(filePath);
      if (stamp === null) return;
      const known = deathsOf(id)?.deaths ?? 0;
      const deaths = during === 'load' ? known + 1 : known;
      files.set(id, { filePath, stamp, deaths, damaged: during === 'damaged', reason });
      save();
    },
    check(id) {
      const file = bad(id);
      if (file) {
        const what = file.damaged ? '' : `Loading this model ended its process ${file.deaths} times: `;
        throw new AppError('model_quarantined', `${what}${file.reason}`, {
          fix: 'Replace the file; an explicit load of the model tries it once more.',
          details: { deaths: file.deaths, reason: 'file' },
        });
      }
      const crashes = recentCrashes(id);
      if (crashes.length < maxRunCrashes) return;
      throw new AppError(
        'model_quarantined',
        `The process of this model crashed ${crashes.length} times within 10 minutes.`,
        {
          fix: 'See the server log; an explicit load of the model tries again at once.',
          retryAfterSeconds: Math.ceil((windowMs - (clock.monotonicMs() - crashes[0]!)) / 1000),
          details: { crashes: crashes.length, reason: 'crashes' },
        },
      );
    },
    reasonFor(id) {
      const file = bad(id);
      if (file?.damaged) return file.reason;
      if (file) return `its process died ${file.deaths} times while it was loaded: ${file.reason}`;
      return recentCrashes(id).length >= maxRunCrashes ? 'its process keeps crashing' : null;
    },
    forgive(id) {
      runCrashesAtMs.delete(id);
      if (files.delete(id)) save();
    },
  };
}
