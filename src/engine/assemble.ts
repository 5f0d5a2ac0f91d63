import { stat } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { libraryVersion } from '../config/package.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import { createStateFile } from '../files/state-file.ts';
import { forkWorker, type WorkerProcess } from '../ipc/fork.ts';
import { canParkThreads } from '../ipc/gate.ts';
import type { ReadFile } from '../machine/cgroup.ts';
import { usableCores } from '../machine/cores.ts';
import { type CpuReader, createCpuReader } from '../machine/cpu-reader.ts';
import { createMemory } from '../machine/memory.ts';
import { measuredBytes } from '../machine/resident-bytes.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { GaugeSources, Metrics } from '../observe/metrics.ts';
import type { Catalog } from '../store/catalog/catalog.ts';
import { defaultLibuvThreads, libuvChoices } from './calibration/calibration.ts';
import { createCalibrationStore } from './calibration/calibration-store.ts';
import { type Calibrator, createCalibrator } from './calibration/calibrator.ts';
import { createEngine, type Engine } from './engine.ts';
import { createGpu } from './gpu/gpu.ts';
import { createFootprints } from './memory/footprints.ts';
import { createPlanner, type Planner } from './memory/planner.ts';
import { createMemoryReadings, createMemoryWatch, pressureLevels } from './memory/pressure.ts';
import { repackRulesOf } from './memory/repack.ts';
import { createPlanning } from './planning/planning.ts';
import { collectGarbage } from './residents/collect-garbage.ts';
import { createCrashGuard, quarantineFile } from './residents/crash-guard.ts';
import { createManager, type Manager, type ModelRef } from './residents/manager.ts';
import { createThreadArbiter } from './threads/arbiter.ts';
import { createPressureWatch, type PressureWatch } from './threads/contention.ts';

export interface EngineAssemblyDeps {
  config: Config;
  log: Logger;
  clock: Clock;
  metrics: Metrics;
  bus: Pick<Bus, 'publish'>;
  catalog: Catalog;
  /** What workers inherit. */
  env: NodeJS.ProcessEnv;
  /** Left out: a process of this machine. */
  fork?: (environment: Record<string, string>) => WorkerProcess;
  /** What the kernel says about the processors while a model is calibrated. */
  newCpuReader?: () => CpuReader;
}

/** The engine with what the composition root needs of its parts. */
export interface AssembledEngine {
  engine: Engine;
  planner: Planner;
  /** All memory that the server may use. */
  totalBytes(): number;
  /** Unloads variants by their ids; running requests end first. */
  unload(ids: readonly string[]): Promise<void>;
  /** Physical cores, quota and affinity taken together. */
  cores: number;
  gauges: Pick<
    GaugeSources,
    'models' | 'memoryBudgetBytes' | 'memoryPressureLevel' | 'memoryAvailableBytes' | 'memoryUsedBytes' | 'gpus'
  >;
  /** Measures nothing any more; comes before the drain. */
  stopCalibration(): void;
  /** Ends the workers and waits for their exits. */
  close(): Promise<void>;
}

/** Builds the parts of the engine once and hands each what it needs. */
export function assembleEngine(deps: EngineAssemblyDeps): AssembledEngine {
  const { config, log, clock, metrics, catalog } = deps;
  const memory = createMemory({
    ...config.engine,
    workerPids: () => manager.residents().flatMap(({ pid }) => (pid === null ? [] : [pid])),
  });
  const { cores } = usableCores({ readFile: memory.readFile, affinityCount: availableParallelism() });
  const threads = config.engine.threads ?? cores;
  const arbiter = createThreadArbiter(threads);
  const pressure = createPressureWatch({
    readFile: memory.readFile,
    clock,
    cores: threads,
    onLimit(limit, reason) {
      log.info({ threads: limit, reason }, 'decoding threads changed');
      arbiter.setCores(limit);
    },
  });
  const crashes = createCrashGuard({
    clock,
    stored: createStateFile({
      path: join(config.dataFolder, 'quarantine.json'),
      parse: (value) => quarantineFile.parse(value),
      warn: (err) => log.warn({ err }, 'the list of model files in quarantine cannot be used or stored'),
    }),
  });
  const memoryWatch = createMemoryWatch({
    read: createMemoryReadings({ readFile: memory.readFile, budget: memory.budget }),
    reserveBytes: config.engine.memoryReserveBytes,
    clock,
    onLevel: (level, reading) => log.warn({ level, ...reading }, 'memory pressure changed'),
    onShort: () => manager.relieve(),
  });
  const footprints = createFootprints({
    folder: config.dataFolder,
    machine: `${process.arch} ${cpus()[0]?.model ?? 'unknown'}`,
    log,
  });
  const planner = createPlanner({
    budget: memory.budget,
    repackRules: repackRulesOf(memory.readFile('/proc/cpuinfo'), process.arch),
    threadsFor: arbiter.limitFor,
    correctionBytes: footprints.correctionBytes,
  });
  const poolSizes = libuvChoices(cores, canParkThreads);
  const calibrator = config.engine.calibrate
    ? calibratorFor(deps, { readFile: memory.readFile, threads, pressure, poolSizes })
    : null;
  const fork =
    deps.fork ??
    ((environment: Record<string, string>) =>
      forkWorker({ env: { ...deps.env, ...environment }, libuvThreads: Math.max(...poolSizes) }));
  const gpu = createGpu({
    fork,
    environment: deps.env,
    libraryVersion: libraryVersion(),
    dataFolder: config.dataFolder,
    residents: () => manager.residents().map((resident) => resident.gpu),
    clock,
    log,
  });
  const manager: Manager = createManager({
    fork,
    gpu,
    plan: planner.plan,
    refusal: (of) => memoryWatch.refusal(of),
    observers: [
      {
        loaded({ ref, plan, pid }) {
          // What a GPU's driver keeps in the process is not the model's.
          if (plan.gpuLayers > 0) return;
          const bytes = measuredBytes(memory.readFile, pid);
          footprints.record(ref, plan, bytes);
          if (bytes > 0) metrics.memoryEstimateError.set({ model: ref.model }, plan.expectedBytes.atLoad / bytes - 1);
        },
        gone: collectGarbage,
      },
    ],
    residentBytes: memory.residentBytes,
    arbiter,
    pressure,
    calibrator,
    crashes,
    clock,
    log,
    metrics,
    vaultFor: (ref) => vaultOf(ref, config, catalog),
    libuvThreads: defaultLibuvThreads(cores),
    drafts: config.engine.drafts === 'auto',
    maxQueue: config.models.maxQueue,
    loadTimeoutMs: config.models.loadTimeoutMs,
  });
  const engine = createEngine({
    catalog,
    manager,
    crashes,
    gpu,
    planning: createPlanning({
      planner,
      gpu,
      residents: manager.residents,
      residentBytes: memory.residentBytes,
      defaults: {
        contextTokens: config.models.contextTokens,
        parallel: config.models.parallel,
        keepAliveMs: config.models.keepAliveMs,
        keepAliveMsOf: config.models.keepAliveMsOf,
        pinned: config.models.pinned,
        gpu: config.engine.gpu,
      },
    }),
    clock,
    bus: deps.bus,
    refusal: (of) => memoryWatch.refusal(of),
    memory: memory.status,
    calibrator,
    residentBytes: memory.residentBytes,
  });

  return {
    engine,
    planner,
    totalBytes: () => memory.budget().totalBytes,
    async unload(ids) {
      const loaded = manager.residents().filter(({ id }) => ids.includes(id));
      await Promise.all(loaded.map(({ id }) => manager.unload(id, 'request')));
    },
    cores,
    gauges: {
      models: () =>
        manager.residents().map((resident) => ({
          model: resident.model,
          state: resident.state,
          residentBytes: resident.pid === null ? null : memory.residentBytes(resident.pid),
          gpuBytes: resident.gpu.bytes,
          slots: resident.ready?.slots ?? 0,
          busySlots: resident.busySlots,
          queueDepth: resident.queueDepth,
        })),
      memoryBudgetBytes: () => memory.status().budgetBytes,
      memoryPressureLevel: () => pressureLevels.indexOf(memoryWatch.level),
      memoryAvailableBytes: () => memory.status().availableBytes,
      memoryUsedBytes: () => memory.status().usedBytes,
      gpus: () => gpu.status().devices.map(({ device, freeBytes }) => ({ ...device, freeBytes })),
    },
    stopCalibration: () => calibrator?.close(),
    async close() {
      await engine.close();
      pressure.close();
      memoryWatch.close();
    },
  };
}

function calibratorFor(
  deps: EngineAssemblyDeps,
  parts: { readFile: ReadFile; threads: number; pressure: PressureWatch; poolSizes: readonly number[] },
): Calibrator {
  const { config, clock, log, metrics } = deps;
  const { readFile, threads, pressure } = parts;
  return createCalibrator({
    store: createCalibrationStore({ folder: join(config.dataFolder, 'calibrations'), clock, log }),
    newCpuReader: deps.newCpuReader ?? (() => createCpuReader({ readFile, monotonicMs: () => clock.monotonicMs() })),
    async fileFacts(path) {
      const { size, mtimeMs } = await stat(path);
      return { bytes: size, modifiedMs: mtimeMs };
    },
    machine: { cpuModel: cpus()[0]?.model ?? 'unknown', cores: threads, engineVersion: libraryVersion() },
    tuneThreads: config.engine.threads === null,
    libuvChoices: parts.poolSizes,
    calm: () => pressure.limit === threads,
    onTuned: (id) => pressure.forget(id),
    clock,
    log,
    metrics,
  });
}

/** Where a model keeps the prefixes of its prompts; null: nowhere. */
function vaultOf(ref: ModelRef, { dataFolder, models }: Config, catalog: Catalog) {
  if (models.prefixVaultBytes === 0) return null;
  const isModel = (name: string) => {
    try {
      return catalog.resolve(name).model.name === ref.model;
    } catch {
      // A pin may be for a model that is not there yet.
      return false;
    }
  };
  return {
    // One folder a variant: a worker owns its own.
    folder: join(dataFolder, 'prefixes', ref.id.replace(/[^A-Za-z0-9._-]/g, '_')),
    capBytes: models.prefixVaultBytes,
    minSavedMs: models.prefixVaultMinMs,
    pinnedPrompts: models.pinnedPrompts
      .filter((pin) => pin.model === null || isModel(pin.model))
      .map(({ prompt }) => prompt),
  };
}
