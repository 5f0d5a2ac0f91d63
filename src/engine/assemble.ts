import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { libraryFolder, libraryVersion } from '../config/package.ts';
import type { Config } from '../config/schema.ts';
import { workerEnvironment } from '../config/worker-environment.ts';
import type { Clock } from '../core/clock.ts';
import type { AdviseQuantization } from '../core/quantization-advice.ts';
import { createStateFile } from '../files/state-file.ts';
import { forkWorker, type WorkerProcess } from '../ipc/fork.ts';
import { canParkThreads } from '../ipc/gate.ts';
import { usableCores } from '../machine/cores.ts';
import type { CpuReader } from '../machine/cpu-reader.ts';
import { type KernelPaces, namesIn, readKernelPaces } from '../machine/kernel-paces.ts';
import { createMemory, type Memory } from '../machine/memory.ts';
import { createAdvice } from '../machine/quantization-advice.ts';
import { threadTime } from '../machine/thread-time.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import type { GaugeSources } from '../observe/metrics.ts';
import type { Catalog } from '../store/catalog/catalog.ts';
import type { GgufFacts } from '../store/gguf/gguf.ts';
import { createCalibration, defaultLibuvThreads, libuvChoices } from './calibration/calibration.ts';
import { createEngine, type Engine } from './engine.ts';
import { createGpu, type GpuSelector } from './gpu/gpu.ts';
import {
  collectGarbage,
  createBarePlanner,
  createEngineMemory,
  type EngineMemory,
  type LoadOutcome,
  memoryLevels,
  planForPull,
} from './memory/memory.ts';
import { createPlanning, createSpeedAdvice, type EngineDefaults } from './planning/planning.ts';
import { createRecentPace } from './recent-pace.ts';
import {
  type CrashGuard,
  createCrashGuard,
  createLauncher,
  createLoadFailures,
  createManager,
  fileStamp,
  type Manager,
  type ModelRef,
  quarantineFile,
} from './residents/residents.ts';
import { createRestoring, loadedModelsFile, type Restoring } from './restoring.ts';
import { createThreads } from './threads/threads.ts';

export interface EngineAssemblyDeps {
  config: Config;
  log: Logger;
  clock: Clock;
  bus: Bus;
  catalog: Catalog;
  /** What can be pulled by a plain name, to the names that such models have on disk. */
  pullNames: Readonly<Record<string, string>>;
  /** What workers inherit. */
  env: NodeJS.ProcessEnv;
  /** Left out: a process of this machine. */
  fork?: (environment: Record<string, string>) => WorkerProcess;
  /** What the kernel says about the processors while a model is calibrated. */
  newCpuReader?: () => CpuReader;
}

/** The engine with what the composition root needs of its parts. */
interface AssembledEngine {
  engine: Engine;
  /** What a model that is not here would be loaded with; everything that is loaded could make room for it. */
  planForPull(facts: GgufFacts): LoadOutcome;
  /** All memory that the server may use. */
  totalBytes(): number;
  /** Which quantizations this processor is faster with. */
  advise: AdviseQuantization;
  /** Unloads variants by their ids; running requests end first. */
  unload(ids: readonly string[]): Promise<void>;
  /** Physical cores, quota and affinity taken together. */
  cores: number;
  gauges: EngineGauges;
  /** Loads again what was loaded before a restart. */
  restoring: Restoring;
  /** Measures nothing any more; comes before the drain. */
  stopCalibration(): void;
  /** Ends the workers and waits for their exits. */
  close(): Promise<void>;
}

type EngineGauges = Pick<
  GaugeSources,
  'models' | 'memoryBudgetBytes' | 'memoryPressureLevel' | 'memoryAvailableBytes' | 'memoryUsedBytes' | 'gpus'
>;

/** Builds the parts of the engine once and hands each what it needs. */
export function assembleEngine(deps: EngineAssemblyDeps): AssembledEngine {
  const { config, log, clock, bus, catalog } = deps;
  // 1. The machine: its memory and its cores.
  const memory = createMemory({
    ...config.engine,
    workerPids: () => manager.residents().flatMap(({ pid }) => (pid === null ? [] : [pid])),
  });
  const { readFile, residentBytes } = memory;
  const usable = usableCores({ readFile, affinityCount: availableParallelism() });
  const { cores } = usable;
  log.debug(usable, 'usable cores');
  // 2. The division of its threads, and what is measured of models on them.
  const threads = config.engine.threads ?? cores;
  const { arbiter, contention } = createThreads({ threads, readFile, clock, log });
  const kernels = kernelPacesOf(readFile);
  const advise = createAdvice(kernels.paces);
  const poolSizes = libuvChoices(cores, canParkThreads);
  const calibrator = config.engine.calibrate
    ? createCalibration({
        dataFolder: config.dataFolder,
        // What the library's own kernels were measured at says nothing of ours.
        libraryVersion: [libraryVersion(), ...(kernels.buildId === null ? [] : [kernels.buildId])].join('+'),
        threads,
        tuneThreads: config.engine.threads === null,
        libuvChoices: poolSizes,
        contention,
        readFile,
        newCpuReader: deps.newCpuReader,
        clock,
        log,
        bus,
      })
    : null;
  // 3. The division of its memory.
  const { planner, watch, measure } = createEngineMemory({
    memory,
    dataFolder: config.dataFolder,
    threadsFor: arbiter.limitFor,
    onShort: () => manager.relieve(),
    clock,
    log,
    bus,
  });
  // 4. Processes, on a GPU or not.
  const fork = deps.fork ?? forkerFor(workerEnvironment(deps.env, config), Math.max(...poolSizes));
  const gpu = createGpu({
    fork,
    environment: deps.env,
    libraryVersion: libraryVersion(),
    dataFolder: config.dataFolder,
    residents: () => manager.residents().map((resident) => resident.gpu),
    clock,
    log,
  });
  const launcher = createLauncher({
    fork,
    arbiter,
    contention,
    libuvThreads: defaultLibuvThreads(cores),
    vaultFor: (ref) => vaultOf(ref, config, catalog),
    drafts: config.engine.drafts === 'auto',
    loadTimeoutMs: config.models.loadTimeoutMs,
    threadTime: (pid) => threadTime(readFile, pid),
    clock,
    log,
    bus,
  });
  // 5. The loaded models.
  const crashes = crashGuardFor(deps);
  const failures = createLoadFailures(fileStamp);
  const manager: Manager = createManager({
    launcher,
    gpu,
    memory: { plan: planner.plan, refusal: watch.refusal, residentBytes, measure },
    calibrator,
    crashes,
    failures,
    maxQueue: config.models.maxQueue,
    clock,
    log,
    bus,
  });
  bus.subscribe(({ type }) => {
    if (type === 'model-gone' || type === 'model-load-failed') collectGarbage();
  });
  // 6. What the rest of the server sees.
  const defaults = defaultsOf(config);
  const engine = createEngine({
    catalog,
    manager,
    crashes,
    failures,
    gpu,
    planning: createPlanning({
      planner,
      gpu,
      residents: manager.residents,
      residentBytes,
      speed: createSpeedAdvice({
        advise,
        gainOfBuilt: kernels.gainOfBuilt,
        measuredOf: (id) => calibrator?.paceOf(id) ?? null,
        pullName: ({ name }) => Object.entries(deps.pullNames).find(([, onDisk]) => onDisk === name)?.[0] ?? null,
      }),
      defaults,
    }),
    clock,
    bus,
    refusal: watch.refusal,
    memory: memory.status,
    recentPace: createRecentPace({ bus, clock }),
    calibrator,
    residentBytes,
  });

  const restoring = createRestoring({
    engine,
    stored: createStateFile({
      path: join(config.dataFolder, 'loaded-models.json'),
      parse: (value) => loadedModelsFile.parse(value),
      warn: (err) => log.warn({ err }, 'the list of loaded models cannot be used or stored'),
    }),
    isOn: config.models.restore,
    clock,
    log,
    bus,
  });

  return {
    engine,
    restoring,
    planForPull: (facts) => planForPull(planner, facts),
    totalBytes: () => memory.budget().totalBytes,
    advise,
    async unload(ids) {
      await Promise.all(ids.map((id) => manager.unload(id, 'request')));
    },
    cores,
    gauges: gaugesOf({ manager, memory, watch, gpu }),
    stopCalibration: () => calibrator?.close(),
    async close() {
      await engine.close();
      contention.close();
      watch.close();
    },
  };
}

/** The same for a store without a server: nothing is loaded, so the whole budget is there. */
export function assemblePlanner({ engine }: Config): Pick<AssembledEngine, 'planForPull' | 'totalBytes' | 'advise'> {
  const memory = createMemory({ ...engine, workerPids: () => [] });
  const planner = createBarePlanner(memory);
  return {
    planForPull: (facts) => planForPull(planner, facts),
    totalBytes: () => memory.budget().totalBytes,
    advise: createAdvice(kernelPacesOf(memory.readFile).paces),
  };
}

function kernelPacesOf(readFile: Memory['readFile']): KernelPaces {
  return readKernelPaces({ readFile, list: namesIn, architecture: process.arch, libraryFolder: libraryFolder() });
}

function gaugesOf(parts: {
  manager: Pick<Manager, 'residents'>;
  memory: Memory;
  watch: EngineMemory['watch'];
  gpu: Pick<GpuSelector, 'status'>;
}): EngineGauges {
  const { manager, memory, watch, gpu } = parts;
  return {
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
    memoryPressureLevel: () => memoryLevels.indexOf(watch.level),
    memoryAvailableBytes: () => memory.status().availableBytes,
    memoryUsedBytes: () => memory.status().usedBytes,
    gpus: () => gpu.status().devices.map(({ device, freeBytes }) => ({ ...device, freeBytes })),
  };
}

/** `libuvThreads`: of a process's pool, for its whole life. */
function forkerFor(env: NodeJS.ProcessEnv, libuvThreads: number) {
  return (environment: Record<string, string>): WorkerProcess =>
    forkWorker({ env: { ...env, ...environment }, libuvThreads });
}

function crashGuardFor({ config, clock, log }: EngineAssemblyDeps): CrashGuard {
  return createCrashGuard({
    clock,
    stored: createStateFile({
      path: join(config.dataFolder, 'quarantine.json'),
      parse: (value) => quarantineFile.parse(value),
      warn: (err) => log.warn({ err }, 'the list of model files in quarantine cannot be used or stored'),
    }),
  });
}

function defaultsOf({ models, engine }: Config): EngineDefaults {
  const { contextTokens, parallel, keepAliveMs, keepAliveMsOf, pinned } = models;
  return { contextTokens, parallel, keepAliveMs, keepAliveMsOf, pinned, gpu: engine.gpu };
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
    folder: join(dataFolder, 'prefixes', folderNameOf(ref.id)),
    capBytes: models.prefixVaultBytes,
    minSavedMs: models.prefixVaultMinMs,
    pinnedPrompts: models.pinnedPrompts
      .filter((pin) => pin.model === null || isModel(pin.model))
      .map(({ prompt }) => prompt),
  };
}

/** A name for a folder; what it cannot show of an id, in letters or length, its digest tells apart. */
function folderNameOf(id: string): string {
  const plain = id.replace(/[^A-Za-z0-9._-]/g, '_');
  if (/^[A-Za-z0-9._-]{1,100}(?::[A-Za-z0-9._-]{1,32})?$/.test(id)) return plain;
  return `${plain.slice(0, 100)}-${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
}
