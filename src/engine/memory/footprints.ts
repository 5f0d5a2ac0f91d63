import { join } from 'node:path';
import { z } from 'zod';
import { createStateFile } from '../../files/state-file.ts';
import type { Logger } from '../../observe/logger.ts';
import type { LoadShape } from './expect.ts';
import type { LoadPlan } from './plan.ts';
import type { PlannedFile } from './planner.ts';

/** What loads really took, kept over restarts to correct the next plans. */
interface Footprints {
  /** Bytes that an earlier load of this file took beyond the bare estimate, on this machine and opened the same way. */
  correctionBytes(file: PlannedFile, shape: LoadShape): number;
  /** Notes the physical memory of a worker right after its load; 0 measured bytes are no measurement. */
  record(file: PlannedFile, plan: LoadPlan, measuredBytes: number): void;
}

const fileName = 'footprints.json';
/** Raised when the estimate changes: corrections to an older one would be wrong. */
const formatVersion = 1;
const mostEntries = 500;
const warnings = {
  read: 'the stored footprints of models cannot be used; they are measured again',
  write: 'the footprint of a model could not be stored',
};
/** A measurement further away than this share of the estimate says more about the moment than about the model. */
const trustedShare = 0.5;

const storedFile = z.object({
  version: z.literal(formatVersion),
  footprints: z.record(z.string(), z.object({ expectedBytes: z.int().min(0), measuredBytes: z.int().min(0) })),
});

/**
 * Reads and writes `footprints.json` in `folder`. `machine`: names the processor, so that a data folder that moved to
 * another machine starts afresh. A file that cannot be read or written only costs the corrections.
 */
export function createFootprints(deps: { folder: string; machine: string; log: Pick<Logger, 'warn'> }): Footprints {
  const file = createStateFile({
    path: join(deps.folder, fileName),
    parse: (value) => storedFile.parse(value),
    warn: (err, doing) => deps.log.warn({ err }, warnings[doing]),
  });
  const footprints = new Map(Object.entries(file.read()?.footprints ?? {}));
  const keyOf = ({ id, facts }: PlannedFile, shape: Pick<LoadShape, 'useMmap' | 'kvType'>) =>
    [deps.machine, id, facts.sizeBytes, shape.useMmap ? 'mapped' : 'read', shape.kvType].join('|');

  return {
    correctionBytes(planned, shape) {
      const known = footprints.get(keyOf(planned, shape));
      if (!known) return 0;
      const beyond = known.measuredBytes - known.expectedBytes;
      const bound = known.expectedBytes * trustedShare;
      // Pages of a mapped file may not have been there yet: less than expected is no promise for the next time.
      return Math.round(Math.min(bound, Math.max(shape.useMmap ? 0 : -bound, beyond)));
    },
    record(planned, plan, measuredBytes) {
      if (measuredBytes <= 0) return;
      const key = keyOf(planned, plan);
      const { atLoad, correction } = plan.expectedBytes;
      footprints.delete(key);
      footprints.set(key, { expectedBytes: Math.max(0, atLoad - correction), measuredBytes });
      for (const oldest of footprints.keys()) {
        if (footprints.size <= mostEntries) break;
        footprints.delete(oldest);
      }
      file.write({ version: formatVersion, footprints: Object.fromEntries(footprints) });
    },
  };
}
