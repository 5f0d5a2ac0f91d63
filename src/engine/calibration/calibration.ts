import { stat } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import type { ReadFile } from '../../machine/cgroup.ts';
import { type CpuReader, createCpuReader } from '../../machine/cpu-reader.ts';
import type { Bus } from '../../observe/bus.ts';
import type { Logger } from '../../observe/logger.ts';
import type { ContentionWatch } from '../threads/threads.ts';
import { createCalibrationStore } from './calibration-store.ts';
import { type Calibrator, createCalibrator } from './calibrator.ts';

export { type Calibrator, calibratedBatch, decodeRateOf } from './calibrator.ts';
export { type Calibration, defaultLibuvThreads, libuvChoices } from './run-calibration.ts';
export { addTunedShare, type TunedShare } from './tuned-share.ts';

/**
 * A calibrator over this machine, which keeps what it finds in the data folder. `threads`: that all models divide;
 * `tuneThreads` and `libuvChoices`: as of `createCalibrator`.
 */
export function createCalibration(deps: {
  dataFolder: string;
  /** Of the inference library. */
  libraryVersion: string;
  threads: number;
  tuneThreads: boolean;
  libuvChoices: readonly number[];
  contention: Pick<ContentionWatch, 'limit' | 'forget'>;
  readFile: ReadFile;
  /** Left out: this machine's. */
  newCpuReader?: (() => CpuReader) | undefined;
  clock: Clock;
  log: Logger;
  bus: Pick<Bus, 'publish'>;
}): Calibrator {
  const { threads, contention, readFile, clock, log, bus } = deps;
  return createCalibrator({
    store: createCalibrationStore({ folder: join(deps.dataFolder, 'calibrations'), clock, log }),
    newCpuReader: deps.newCpuReader ?? (() => createCpuReader({ readFile, monotonicMs: () => clock.monotonicMs() })),
    async fileFacts(path) {
      const { size, mtimeMs } = await stat(path);
      return { bytes: size, modifiedMs: mtimeMs };
    },
    machine: { cpuModel: cpus()[0]?.model ?? 'unknown', cores: threads, engineVersion: deps.libraryVersion },
    tuneThreads: deps.tuneThreads,
    libuvChoices: deps.libuvChoices,
    calm: () => contention.limit === threads,
    onTuned: contention.forget,
    clock,
    log,
    bus,
  });
}
