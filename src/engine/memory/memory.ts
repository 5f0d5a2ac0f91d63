import { availableParallelism, cpus } from 'node:os';
import type { Clock } from '../../core/clock.ts';
import type { Memory } from '../../machine/memory.ts';
import { measuredBytes } from '../../machine/resident-bytes.ts';
import type { Bus } from '../../observe/bus.ts';
import type { Logger } from '../../observe/logger.ts';
import { createFootprints } from './footprints.ts';
import type { LoadPlan } from './plan.ts';
import { createPlanner, type PlannedFile, type Planner } from './planner.ts';
import { createMemoryWatch, createPressureReader, lowMark, type MemoryWatch } from './pressure.ts';
import { repackRulesOf } from './repack.ts';

export { collectGarbage, releaseMemory } from './collect-garbage.ts';
export type { LoadOutcome, LoadPlan, LoadRefusal } from './plan.ts';
export { type Planner, planForPull } from './planner.ts';
export { memoryLevels } from './pressure.ts';
export { refusalError } from './refusal.ts';

/** Plans with the memory of this machine, measures what loads took of it, and watches how short it is. */
export interface EngineMemory {
  planner: Planner;
  watch: MemoryWatch;
  /**
   * Notes what a load with this plan took, nothing having run on it yet, to correct the next plans of the file. Bytes; null
   * where the system does not tell, or the plan put layers on a GPU.
   */
  measure(file: PlannedFile, plan: LoadPlan, pid: number): number | null;
}

/** `threadsFor`: decoding threads of a model at most, by the bytes of its weights. `onShort`: as of `createMemoryWatch`. */
export function createEngineMemory(deps: {
  memory: Pick<Memory, 'readFile' | 'budget'>;
  dataFolder: string;
  threadsFor: (weightBytes: number) => number;
  onShort: () => void;
  clock: Clock;
  log: Logger;
  bus: Pick<Bus, 'publish'>;
}): EngineMemory {
  const { clock, log, bus } = deps;
  const { readFile, budget } = deps.memory;
  const footprints = createFootprints({
    folder: deps.dataFolder,
    machine: `${process.arch} ${cpus()[0]?.model ?? 'unknown'}`,
    log,
  });
  return {
    planner: createPlanner({
      budget,
      repackRules: repackRulesOf(readFile('/proc/cpuinfo'), process.arch),
      threadsFor: deps.threadsFor,
      correctionBytes: footprints.correctionBytes,
    }),
    watch: createMemoryWatch({
      read: createPressureReader({ readFile, budget }),
      markBytes: () => lowMark(budget()),
      onShort: deps.onShort,
      clock,
      log,
      bus,
    }),
    measure(file, plan, pid) {
      // What a GPU's driver keeps in the process is not the model's.
      if (plan.gpuLayers > 0) return null;
      const bytes = measuredBytes(readFile, pid);
      if (bytes === 0) return null;
      footprints.record(file, plan, bytes);
      return bytes;
    },
  };
}

/** Plans where nothing is loaded, for a store without a server. */
export function createBarePlanner({ readFile, budget }: Pick<Memory, 'readFile' | 'budget'>): Planner {
  return createPlanner({
    budget,
    repackRules: repackRulesOf(readFile('/proc/cpuinfo'), process.arch),
    threadsFor: availableParallelism,
    correctionBytes: () => 0,
  });
}
