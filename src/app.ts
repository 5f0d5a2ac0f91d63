import { join, sep } from 'node:path';
import { createSeal, readSealKey } from './auth/seal.ts';
import { prepareFolders } from './config/folders.ts';
import { packageVersion } from './config/package.ts';
import type { Config } from './config/schema.ts';
import { localProviderId, type RoutingConfig } from './core/call.ts';
import { type Clock, systemClock } from './core/clock.ts';
import { assembleEngine, assemblePlanner, type EngineAssemblyDeps } from './engine/assemble.ts';
import type { Engine } from './engine/engine.ts';
import { createGateway } from './gateway/gateway.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import { createInventory } from './machine/inventory.ts';
import { createBus } from './observe/bus.ts';
import type { Logger } from './observe/logger.ts';
import { recordEvents } from './observe/metric-events.ts';
import { createMetrics } from './observe/metrics.ts';
import { createProviders } from './providers/registry.ts';
import type { KeepLimits } from './storage/kept-texts.ts';
import { openStorage } from './storage/storage.ts';
import type { Catalog, CatalogModel, CatalogVariant } from './store/catalog/catalog.ts';
import { assembleCatalog, assembleMadeModels, assembleStore, type Store } from './store/store.ts';

/** A built server that does not listen yet. */
export interface App {
  http: HttpServer;
  engine: Engine;
  store: Store;
  /** Physical cores, quota and affinity taken together. */
  cores: number;
  version: string;
  /** What lies in the model folder, as of the last look. */
  countModels(): FolderCount;
  /** Refuses new work, lets running answers finish until the configured deadline, then closes everything. */
  shutdown(): Promise<void>;
}

/** Models of the configured folder; the built-in one is among them only where it has that folder's names beside it. */
export interface FolderCount {
  usable: number;
  unusable: number;
  /** Whether the model that comes with Hearth is listed and lies elsewhere. */
  hasBuiltin: boolean;
  /** Sentences of what is not listed. */
  leftOut: number;
}

/** Parts that tests replace. */
type AppOverrides = Pick<EngineAssemblyDeps, 'fork' | 'newCpuReader'> & { clock?: Clock };

/** What clients may ask for again: as long as OpenAI keeps it, and no more than a small disk has room for. */
const keepLimits: KeepLimits = { maxAgeMs: 30 * 24 * 3_600_000, maxTexts: 10_000, maxBytes: 256 * 1024 ** 2 };

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
  const bus = createBus((err, { type }) => log.error({ err, type }, 'a listener failed on an event'));
  recordEvents(bus, metrics);
  const made = assembleMadeModels(config, log);
  const catalog = assembleCatalog(config, log, made);
  await catalog.refresh();
  const { engine, cores, ...parts } = assembleEngine({
    ...overrides,
    config,
    log,
    clock,
    bus,
    catalog,
    env: deps.env,
  });
  const store = assembleStore({
    config,
    log,
    clock,
    bus,
    version,
    catalog,
    made,
    plan: parts.planForPull,
    totalBytes: parts.totalBytes,
    unload: parts.unload,
  });
  await store.restore();
  const storage = openStorage({ path: join(config.dataFolder, 'hearth.sqlite'), limits: keepLimits, clock, log });
  const sealKey = readSealKey(join(config.dataFolder, 'seal.key'), (err) =>
    log.warn({ err }, 'the key for sealed texts cannot be kept; those of this run are worth nothing after it'),
  );
  // No provider but this machine is there yet.
  const routing: RoutingConfig = { defaultProvider: localProviderId, cloudAllowed: false, chains: {} };
  let draining = false;
  const http = await createHttpServer({
    config,
    gateway: createGateway({ providers: createProviders({ engine }), clock, bus }),
    routing: () => routing,
    engine,
    store,
    kept: storage.kept,
    seal: createSeal(sealKey),
    metrics,
    log,
    clock,
    inventory: createInventory({ clock }),
    version,
    lifecycle: { draining: () => draining },
  });
  metrics.observe({
    ...parts.gauges,
    activeConnections: () => http.activeConnections(),
    activePulls: store.activePulls,
  });

  return {
    http,
    engine,
    store,
    cores,
    version,
    countModels: () => countModels(catalog, config.models.folder),
    async shutdown() {
      // 1. New work is refused, probes and metrics still answer.
      draining = true;
      parts.stopCalibration();
      // 2. Running answers end by themselves, or with an error event at the deadline.
      await engine.drain(config.server.drainMs);
      // 3. Pulls stop where they can go on, and whoever watches one is told.
      await store.close();
      // 4. Sockets close once their last bytes are out.
      await http.close();
      storage.close();
      // 5. Workers end, and their exits are awaited.
      await parts.close();
    },
  };
}

function countModels(catalog: Pick<Catalog, 'models' | 'leftOut'>, folder: string): FolderCount {
  const isOwn = ({ filePath }: CatalogVariant) => filePath.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  const own = catalog.models().filter(({ variants }) => variants.some(isOwn));
  const usable = own.filter(({ variants }) => variants.some(({ invalidReason }) => invalidReason === null)).length;
  return {
    usable,
    unusable: own.length - usable,
    hasBuiltin: catalog.models().some(({ variants }) => variants.some((variant) => !isOwn(variant))),
    leftOut: catalog.leftOut().length,
  };
}

/**
 * The model store without a server, for commands that find none running. Nothing is loaded, so the whole budget is there;
 * pulls that an earlier run left are listed and not continued.
 */
export async function openStore(deps: {
  config: Config;
  log: Logger;
}): Promise<{ store: Store; listModels: () => Promise<{ models: CatalogModel[]; leftOut: readonly string[] }> }> {
  const { config, log } = deps;
  prepareFolders(config);
  const made = assembleMadeModels(config, log);
  const catalog = assembleCatalog(config, log, made);
  const { planForPull, totalBytes } = assemblePlanner(config);
  const store = assembleStore({
    config,
    log,
    clock: systemClock,
    // Nobody listens: one command, no metrics.
    bus: { publish: () => {} },
    version: packageVersion(),
    catalog,
    made,
    plan: planForPull,
    totalBytes,
    unload: async () => {},
  });
  await store.restore();
  return {
    store,
    async listModels() {
      await catalog.refresh();
      return { models: catalog.models(), leftOut: catalog.leftOut() };
    },
  };
}
