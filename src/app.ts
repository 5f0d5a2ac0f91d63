import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { type Catalog, type CatalogModel, createCatalog } from './engine/catalog.ts';
import { createThreadArbiter } from './engine/cpu/arbiter.ts';
import { defaultLibuvThreads } from './engine/cpu/calibration.ts';
import { createCalibrationStore } from './engine/cpu/calibration-store.ts';
import { createCalibrator } from './engine/cpu/calibrator.ts';
import { usableCores } from './engine/cpu/cores.ts';
import { createPressureWatch } from './engine/cpu/pressure.ts';
import { type CpuReader, createCpuReader } from './engine/cpu/readings.ts';
import { createCrashGuard, quarantineFile } from './engine/crash-guard.ts';
import { createEngine, type Engine } from './engine/engine.ts';
import { createGpu } from './engine/gpu/gpu.ts';
import { forkWorker, type WorkerProcess } from './engine/ipc/fork.ts';
import { createManager, type Manager } from './engine/manager.ts';
import { readMemoryBudget, systemMemoryReader } from './engine/memory/budget.ts';
import { createFootprints } from './engine/memory/footprints.ts';
import { createPlanner, type Planner } from './engine/memory/planner.ts';
import { createMemoryReadings, createMemoryWatch, pressureLevels } from './engine/memory/pressure.ts';
import { repackRulesOf } from './engine/memory/repack.ts';
import { measuredBytes, residentBytes } from './engine/memory/resident-bytes.ts';
import { createPlanning } from './engine/planning.ts';
import { createStateFile } from './engine/state-file.ts';
import { readPullCatalog } from './engine/store/catalog-file.ts';
import { createStore, type Store, type StoreDeps } from './engine/store/store.ts';
import { createGateway } from './gateway/gateway.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import type { Logger } from './observe/logger.ts';
import { createMetrics } from './observe/metrics.ts';
import { createProviders } from './providers/registry.ts';

/** A built server that does not listen yet. */
export interface App {
  http: HttpServer;
  engine: Engine;
  store: Store;
  /** Physical cores, quota and affinity taken together. */
  cores: number;
  version: string;
  /** Refuses new work, lets running answers finish until the configured deadline, then closes everything. */
  shutdown(): Promise<void>;
}

/** Parts that tests replace. */
export interface AppOverrides {
  clock?: Clock;
  fork?: (libuvThreads: number | null, environment: Record<string, string>) => WorkerProcess;
  /** What the kernel says about the processors while a model is calibrated. */
  newCpuReader?: () => CpuReader;
}

const builtinModel = fileURLToPath(new URL('../models/hearth-guide-3m-q8_0.gguf', import.meta.url));
const pullCatalogFile = new URL('../models/catalog.json', import.meta.url);

/** The composition root: builds every part once and hands each what it needs. Reads no environment. */
export async function createApp(
  deps: { config: Config; log: Logger; env: NodeJS.ProcessEnv },
  overrides: AppOverrides = {},
): Promise<App> {
  const { config, log } = deps;
  prepareFolders(config);
  const clock = overrides.clock ?? systemClock;
  const version = packageVersion();
  const metrics = createMetrics(version);
  const memory = systemMemoryReader();
  const { cores } = usableCores({ readFile: memory.readFile, affinityCount: availableParallelism() });
  const threads = config.engine.threads ?? cores;
  const readResidentBytes = (pid: number) => residentBytes(memory.readFile, pid);
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
  const catalog = catalogFor(config, log);
  await catalog.refresh();
  const crashes = createCrashGuard({
    clock,
    stored: createStateFile({
      path: join(config.dataFolder, 'quarantine.json'),
      parse: (value) => quarantineFile.parse(value),
      warn: (err) => log.warn({ err }, 'the list of model files in quarantine cannot be used or stored'),
    }),
  });
  const usedBytes = () =>
    process.memoryUsage.rss() +
    manager
      .residents()
      .reduce((sum, resident) => sum + (resident.pid === null ? 0 : readResidentBytes(resident.pid)), 0);
  const budget = () =>
    readMemoryBudget(memory, {
      reserveBytes: config.engine.memoryReserveBytes,
      limitBytes: config.engine.memoryLimitBytes,
      ownBytes: usedBytes(),
    });
  const memoryStatus = () => {
    const { totalBytes, availableBytes, source } = budget();
    const reserveBytes = config.engine.memoryReserveBytes;
    return { budgetBytes: totalBytes, availableBytes, reserveBytes, source, usedBytes: usedBytes() };
  };
  const memoryWatch = createMemoryWatch({
    read: createMemoryReadings({ readFile: memory.readFile, budget }),
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
    budget,
    repackRules: repackRulesOf(memory.readFile('/proc/cpuinfo'), process.arch),
    threadsFor: arbiter.limitFor,
    correctionBytes: footprints.correctionBytes,
  });
  const isModel = (name: string, model: string) => {
    try {
      return catalog.resolve(name).model.name === model;
    } catch {
      // A pin may be for a model that is not there yet.
      return false;
    }
  };
  const pinsFor = (model: string) =>
    config.models.pinnedPrompts
      .filter((pin) => pin.model === null || isModel(pin.model, model))
      .map(({ prompt }) => prompt);
  const readFile = memory.readFile;
  const calibrator = config.engine.calibrate
    ? createCalibrator({
        store: createCalibrationStore({ folder: join(config.dataFolder, 'calibrations'), clock, log }),
        newCpuReader:
          overrides.newCpuReader ?? (() => createCpuReader({ readFile, monotonicMs: () => clock.monotonicMs() })),
        async fileFacts(path) {
          const { size, mtimeMs } = await stat(path);
          return { bytes: size, modifiedMs: mtimeMs };
        },
        machine: { cpuModel: cpus()[0]?.model ?? 'unknown', cores: threads, engineVersion: libraryVersion() },
        tuneThreads: config.engine.threads === null,
        calm: () => pressure.limit === threads,
        onTuned: (id) => pressure.forget(id),
        clock,
        log,
        metrics,
      })
    : null;
  const fork =
    overrides.fork ??
    ((libuvThreads: number | null, environment: Record<string, string>) =>
      forkWorker({
        env: { ...deps.env, ...environment },
        libuvThreads: libuvThreads ?? defaultLibuvThreads(cores),
      }));
  const gpu = createGpu({
    fork: (environment) => fork(null, environment),
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
      },
    ],
    residentBytes: readResidentBytes,
    arbiter,
    pressure,
    calibrator,
    crashes,
    clock,
    log,
    metrics,
    vaultFor: (ref) =>
      config.models.prefixVaultBytes === 0
        ? null
        : {
            // One folder a variant: a worker owns its own.
            folder: join(config.dataFolder, 'prefixes', ref.id.replace(/[^A-Za-z0-9._-]/g, '_')),
            capBytes: config.models.prefixVaultBytes,
            minSavedMs: config.models.prefixVaultMinMs,
            pinnedPrompts: pinsFor(ref.model),
          },
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
      residentBytes: readResidentBytes,
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
    metrics,
    memory: memoryStatus,
    calibrator,
    residentBytes: readResidentBytes,
  });
  const store = storeFor({
    config,
    log,
    clock,
    metrics,
    version,
    catalog,
    planner,
    totalBytes: () => budget().totalBytes,
    async unload(ids) {
      const loaded = manager.residents().filter(({ id }) => ids.includes(id));
      await Promise.all(loaded.map(({ id }) => manager.unload(id, 'request')));
    },
  });
  await store.restore();
  let draining = false;
  const http = await createHttpServer({
    config,
    gateway: createGateway({ providers: createProviders({ engine }) }),
    engine,
    store,
    metrics,
    log,
    clock,
    version,
    lifecycle: { draining: () => draining },
  });
  metrics.observe({
    models: () =>
      manager.residents().map((resident) => ({
        model: resident.model,
        state: resident.state,
        residentBytes: resident.pid === null ? null : readResidentBytes(resident.pid),
        gpuBytes: resident.gpu.bytes,
        slots: resident.ready?.slots ?? 0,
        busySlots: resident.busySlots,
        queueDepth: resident.queueDepth,
      })),
    memoryBudgetBytes: () => memoryStatus().budgetBytes,
    memoryPressureLevel: () => pressureLevels.indexOf(memoryWatch.level),
    memoryAvailableBytes: () => memoryStatus().availableBytes,
    memoryUsedBytes: () => memoryStatus().usedBytes,
    gpus: () => gpu.status().devices.map(({ device, freeBytes }) => ({ ...device, freeBytes })),
    activeConnections: () => http.activeConnections(),
    activePulls: store.activePulls,
  });

  return {
    http,
    engine,
    store,
    cores,
    version,
    async shutdown() {
      // 1. New work is refused, probes and metrics still answer.
      draining = true;
      calibrator?.close();
      // 2. Running answers end by themselves, or with an error event at the deadline.
      await engine.drain(config.server.drainMs);
      // 3. Pulls stop where they can go on, and whoever watches one is told.
      await store.close();
      // 4. Sockets close once their last bytes are out.
      await http.close();
      // 5. Workers end, and their exits are awaited.
      await engine.close();
      pressure.close();
      memoryWatch.close();
    },
  };
}

/**
 * The model store without a server, for commands that find none running. Nothing is loaded, so the whole budget is there;
 * pulls that an earlier run left are listed and not continued.
 */
export async function openStore(deps: {
  config: Config;
  log: Logger;
}): Promise<{ store: Store; listModels: () => Promise<CatalogModel[]> }> {
  const { config, log } = deps;
  prepareFolders(config);
  const memory = systemMemoryReader();
  const version = packageVersion();
  const catalog = catalogFor(config, log);
  const { memoryReserveBytes: reserveBytes, memoryLimitBytes: limitBytes } = config.engine;
  const budget = () => readMemoryBudget(memory, { reserveBytes, limitBytes, ownBytes: process.memoryUsage.rss() });
  const store = storeFor({
    config,
    log,
    clock: systemClock,
    metrics: createMetrics(version),
    version,
    catalog,
    planner: createPlanner({
      budget,
      repackRules: repackRulesOf(memory.readFile('/proc/cpuinfo'), process.arch),
      threadsFor: availableParallelism,
      correctionBytes: () => 0,
    }),
    totalBytes: () => budget().totalBytes,
    unload: async () => {},
  });
  await store.restore();
  return {
    store,
    async listModels() {
      await catalog.refresh();
      return catalog.models();
    },
  };
}

function catalogFor(config: Config, log: Logger): Catalog {
  return createCatalog({
    folders: [config.models.folder],
    builtinFile: builtinModel,
    aliases: config.models.aliases,
    defaultModel: config.models.default,
    knownNames: readPullCatalog(pullCatalogFile).namesOnDisk(),
    log,
  });
}

function storeFor(
  deps: Pick<StoreDeps, 'catalog' | 'clock' | 'log' | 'metrics' | 'totalBytes' | 'unload' | 'version'> & {
    config: Config;
    planner: Planner;
  },
): Store {
  const { config, planner } = deps;
  const { models, pulls } = config;
  return createStore({
    ...deps,
    settings: {
      endpoint: pulls.hub,
      token: pulls.hubToken,
      hosts: pulls.hosts,
      allowPrivate: pulls.allowPrivate,
      bytesPerSecond: pulls.bytesPerSecond,
      hours: pulls.hours,
      reserveBytes: pulls.reserveBytes,
      importFolders: pulls.importFolders,
    },
    folder: models.folder,
    dataFolder: config.dataFolder,
    builtinFile: builtinModel,
    configuredNames: [
      ...(models.default === null ? [] : [models.default]),
      ...Object.values(models.aliases),
      ...models.pinned,
    ],
    pullCatalog: readPullCatalog(pullCatalogFile),
    // A file that is not here has no measurements, and everything that is loaded could make room for it.
    plan: (facts) => planner.plan({ id: '', facts }, {}, Number.POSITIVE_INFINITY),
  });
}

/** Throws `ConfigError` for folders that cannot be used: later they would only show as failures of something else. */
function prepareFolders(config: Config): void {
  try {
    mkdirSync(config.dataFolder, { recursive: true });
    accessSync(config.dataFolder, constants.W_OK);
  } catch (error) {
    throw new ConfigError(`the data folder ${config.dataFolder} cannot be written to; see --data and HEARTH_DATA`, {
      cause: error,
    });
  }
  if (existsSync(config.models.folder) && !statSync(config.models.folder).isDirectory()) {
    throw new ConfigError(`${config.models.folder} is no folder; see --models and HEARTH_MODELS`);
  }
}

/** Version of the inference library, pinned in package.json. */
function libraryVersion(): string {
  const { dependencies } = readPackage();
  return dependencies['node-llama-cpp'] ?? 'unknown';
}

/** Version of this Hearth, from its package.json. */
export function packageVersion(): string {
  return readPackage().version;
}

function readPackage(): { version: string; dependencies: Record<string, string> } {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return JSON.parse(text) as ReturnType<typeof readPackage>;
}
