import { randomBytes } from 'node:crypto';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openAccounts } from './accounting/accounts.ts';
import { createReports } from './accounting/reports.ts';
import { createRetention } from './accounting/retention.ts';
import { openKeyring } from './auth/open-keyring.ts';
import { createSeal, sealKeyFor } from './auth/seal.ts';
import { prepareFolders } from './config/folders.ts';
import { packageVersion } from './config/package.ts';
import { checkReach } from './config/rules.ts';
import type { Config } from './config/schema.ts';
import { secretsOf } from './config/secrets.ts';
import type { ShownSetting } from './config/show.ts';
import { type ConfigStore, createConfigStore } from './config/store.ts';
import { type Clock, systemClock, within } from './core/clock.ts';
import { toUsd } from './core/money.ts';
import { assembleEngine, assemblePlanner, type EngineAssemblyDeps } from './engine/assemble.ts';
import type { Engine } from './engine/engine.ts';
import { releaseMemory } from './engine/memory/memory.ts';
import { createLocalKey, type LocalKey } from './files/local-key.ts';
import { createBatchDoor } from './gateway/batch-door.ts';
import { createBreakers } from './gateway/breaker.ts';
import { type CircuitBoard, createCircuitBoard } from './gateway/circuit-board.ts';
import { createGateway } from './gateway/gateway.ts';
import { createProvidersHealth } from './gateway/health.ts';
import { createInboundLimits } from './gateway/inbound-limits.ts';
import { createLimitWatch } from './gateway/limit-watch.ts';
import { createProviderLimits } from './gateway/provider-limits.ts';
import { createSharedLimits } from './gateway/shared-limits.ts';
import type { SlidingLimits } from './gateway/sliding-limits.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import { createJobs, createStrain, openWebhooks } from './jobs/jobs.ts';
import { disksOf } from './machine/disks.ts';
import { createInventory } from './machine/inventory.ts';
import { createMemorySpeed } from './machine/memory-speed.ts';
import { readPower } from './machine/power.ts';
import { readProcessorCelsius } from './machine/temperature.ts';
import { createUps } from './machine/ups.ts';
import { type Bus, createBus } from './observe/bus.ts';
import { createLogLines, type LogLines } from './observe/log-lines.ts';
import type { Logger } from './observe/logger.ts';
import { recordEvents } from './observe/metric-events.ts';
import { createMetrics } from './observe/metrics.ts';
import { whenQuiet } from './observe/quiet.ts';
import { providerFactories } from './providers/factories.ts';
import { createProviders, type ProviderFactories, type Providers, routingOf } from './providers/registry.ts';
import type { KeepLimits } from './storage/kept-texts.ts';
import { createDatabaseClock, createStoredFiles, type Database, openStorage } from './storage/storage.ts';
import type { Catalog, CatalogModel, CatalogVariant } from './store/catalog/catalog.ts';
import { assembleCatalog, assembleMadeModels, assembleStore, pullNames, type Store } from './store/store.ts';

/** A built server that does not listen yet. */
export interface App {
  http: HttpServer;
  /** The configuration in force. */
  configuration: ConfigStore;
  engine: Engine;
  store: Store;
  /** Opens the server to commands of this machine, once it is published. */
  localKey: LocalKey;
  /** Whether requests need a key. */
  asksForKey(): boolean;
  /** Every source of answers, by id. */
  providers: Pick<Providers, 'all'>;
  /** Physical cores, quota and affinity taken together. */
  cores: number;
  version: string;
  /** What lies in the model folder, as of the last look. */
  countModels(): FolderCount;
  /** Loads again what was loaded before a restart; to be called once the server answers. */
  restoreModels(): void;
  /** Gives back what nobody needs any more, as after a start; holds the server up for a moment. */
  releaseMemory(): void;
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
type AppOverrides = Pick<EngineAssemblyDeps, 'fork' | 'newCpuReader'> & {
  clock?: Clock;
  factories?: ProviderFactories;
  /** No key is asked for: the server never listens, and whoever asks it has started it. */
  keyless?: true;
};

/** The page for people, as `npm run build:ui` leaves it. */
const pageFolder = fileURLToPath(new URL('../ui/dist', import.meta.url));

/** Where the kernel of Linux tells of its devices; elsewhere there is none, and nothing is known. */
const sysFolder = '/sys/class';

/** Longest time that metrics wait for the database. */
const storageMs = 1_000;

/** What clients may ask for again: as long as OpenAI keeps it, and no more than a small disk has room for. */
const keepLimits: KeepLimits = { maxAgeMs: 30 * 24 * 3_600_000, maxTexts: 10_000, maxBytes: 256 * 1024 ** 2 };

/**
 * The composition root: builds every part once and hands each what it needs. Reads no environment. `reread`: reads all sources
 * of the configuration again; left out: there is nothing to read again. `logLines`: what keeps the last lines of `log`; left out: none are kept.
 */
export async function createApp(
  deps: {
    config: Config;
    log: Logger;
    logLines?: LogLines;
    env: NodeJS.ProcessEnv;
    reread?: { filePath: string | null; load: (filePath?: string) => Config; show?: () => readonly ShownSetting[] };
  },
  overrides: AppOverrides = {},
): Promise<App> {
  const { config, log, logLines = createLogLines() } = deps;
  prepareFolders(config);
  const ownClock = overrides.clock ?? systemClock;
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
    clock: ownClock,
    bus,
    catalog,
    pullNames: pullNames(),
    env: deps.env,
  });
  const store = assembleStore({
    config,
    log,
    clock: ownClock,
    bus,
    version,
    catalog,
    made,
    plan: parts.planForPull,
    totalBytes: parts.totalBytes,
    advise: parts.advise,
    unload: parts.unload,
  });
  await store.restore();
  const instance = randomBytes(8).toString('hex');
  const storage = await openStorage({
    path: join(config.dataFolder, 'hearth.sqlite'),
    url: config.storage.url?.reveal() ?? null,
    instance,
    limits: keepLimits,
    clock: ownClock,
    log,
  });
  const { database } = storage;
  // What others may write too goes by one clock.
  const clock = await createDatabaseClock({ database, clock: ownClock, log });
  const files = await createStoredFiles({
    database,
    folder: join(config.dataFolder, 'files'),
    limits: { maxFileBytes: config.files.maxSizeBytes, maxTotalBytes: config.files.maxTotalBytes },
    clock,
    log,
  });
  const configuration = createConfigStore({
    initial: config,
    load: deps.reread?.load ?? (() => config),
    ...(deps.reread?.show && { show: deps.reread.show }),
    filePath: deps.reread?.filePath ?? null,
    clock,
  });
  logLines.hide(secretsOf(config));
  configuration.onChange((changed) => logLines.hide(secretsOf(changed)));
  const cloud = () => configuration.current().cloud;
  const { providers, breakers, limits, health, inbound, gateway, routing, door, ...spending } = await assembleGateway({
    configuration,
    engine,
    database,
    factories: overrides.factories ?? providerFactories,
    instance,
    clock,
    log,
    bus,
  });
  const strain = assembleStrain({
    configuration,
    clock,
    log,
    isMemoryShort: () => parts.gauges.memoryPressureLevel() > 0,
  });
  const jobs = createJobs({
    database: storage.database,
    settings: () => configuration.current().jobs,
    clock,
    log,
    bus,
    strain: strain.reason,
    webhooks: openWebhooks({ configuration, clock, version }),
    door,
  });
  const localKey = createLocalKey(config.dataFolder);
  const { keyring, close: closeKeys } = await openKeyring({
    config: configuration.current,
    database,
    log,
    clock,
    localKey: localKey.key,
  });
  if (database.isShared && !overrides.keyless) checkReach(config, keyring.asksForKey());
  const reports = createReports({ database, cloud, holderOf: keyring.keyOf, clock });
  const keepDays = () => cloud().ledgerKeepDays;
  const retention = createRetention({ database, keepDays, clock, log });
  const endQuiet = whenQuiet({ bus, clock }, releaseMemory);
  let draining = false;
  const http = await createHttpServer({
    config,
    keyring: overrides.keyless ? { ...keyring, asksForKey: () => false, again: (principal) => principal } : keyring,
    gateway,
    routing,
    configuration,
    providers,
    breakers,
    limits,
    inbound,
    health,
    bus,
    engine,
    store,
    kept: storage.kept,
    files,
    jobs,
    reports,
    seal: createSeal(sealKeyFor(config, { isShared: database.isShared, log })),
    metrics,
    log,
    logLines,
    clock,
    inventory: createInventory({ clock }),
    memorySpeed: createMemorySpeed({ clock }),
    version,
    pageFolder,
    instance,
    lifecycle: { draining: () => draining },
  });
  jobs.start(http.perform);
  metrics.observe({
    ...parts.gauges,
    // What is not known is not counted: the other metrics do not wait for it.
    jobPause: jobs.pause,
    jobItems: () => within(clock, storageMs, jobs.state(), { pending: 0, running: 0 }),
    activeConnections: () => http.activeConnections(),
    activePulls: store.activePulls,
    circuits: breakers.status,
    budgets: async () =>
      (await within(clock, storageMs, reports.budgets(), [])).map(({ period, limit, spent, reserved }) => ({
        period,
        limitUsd: toUsd(limit),
        remainingUsd: toUsd(limit - spent - reserved),
      })),
    disks: () => disksOf({ models: config.models.folder, data: config.dataFolder }),
  });

  return {
    http,
    configuration,
    engine,
    store,
    providers,
    localKey,
    asksForKey: keyring.asksForKey,
    cores,
    version,
    countModels: () => countModels(catalog, config.models.folder),
    restoreModels: () => void parts.restoring.begin(),
    releaseMemory,
    async shutdown() {
      // 1. New work is refused, probes and metrics still answer.
      draining = true;
      parts.stopCalibration();
      parts.restoring.stop();
      endQuiet();
      await jobs.stop();
      strain.stop();
      // 2. Running answers end by themselves, or with an error event at the deadline.
      await engine.drain(config.server.drainMs);
      // 3. Pulls stop where they can go on, and whoever watches one is told.
      await store.close();
      // 4. Sockets close once their last bytes are out; who follows the log would wait for ever.
      logLines.end();
      await http.close();
      localKey.withdraw();
      // 5. Nobody answers any more: what it cost is written.
      await retention.close();
      await spending.close();
      await files.close();
      closeKeys();
      clock.close();
      await storage.close();
      // 6. Workers end, and their exits are awaited.
      await parts.close();
    },
  };
}

/**
 * What stands between dialects and providers: who is asked, who rests, how often and for how much. `close`: what was answered
 * is written, and other replicas hear no more of this one.
 */
async function assembleGateway(deps: {
  configuration: ConfigStore;
  engine: Engine;
  database: Database;
  factories: ProviderFactories;
  instance: string;
  clock: Clock;
  log: Logger;
  bus: Bus;
}) {
  const { configuration, engine, database, factories, instance, clock, log, bus } = deps;
  const cloud = () => configuration.current().cloud;
  const shared = createSharedParts(deps);
  const providers = createProviders({ engine, cloud: cloud(), clock, log, factories, instance });
  const breakers = createBreakers({ clock, bus, ...(shared.board && { board: shared.board }) });
  await breakers.listen?.();
  const limits = createProviderLimits({
    clock,
    limitsOf: (id) => cloud().providers.get(id)?.rateLimits ?? null,
    providers: () => cloud().providers.keys(),
    ...(shared.outbound && { sliding: shared.outbound }),
  });
  const limitWatch = createLimitWatch({ limits, bus });
  const health = createProvidersHealth({
    clock,
    bus,
    providers: providers.current,
    mayProbe() {
      const { cloudAllowed, healthProbes } = cloud();
      return cloudAllowed && healthProbes;
    },
  });
  const inbound = createInboundLimits({
    clock,
    limits: () => cloud().rateLimits,
    ...(shared.inbound && { sliding: shared.inbound }),
  });
  const accounts = await openAccounts({
    database,
    instance,
    cloud,
    limitsOf: (principal) => ({ all: cloud().budget, own: principal.budget ?? cloud().keyBudget }),
    clock,
    log,
    bus,
  });
  let routing = routingOf(cloud());
  configuration.onChange((config) => {
    // What failed before may have been mended just so.
    for (const id of providers.apply(config.cloud)) breakers.reset(id);
    routing = routingOf(config.cloud);
  });
  const guards = [breakers, limits, limitWatch, health, accounts];
  return {
    providers,
    breakers,
    limits,
    health,
    inbound,
    gateway: createGateway({ providers: providers.current, guards, books: accounts, inbound, clock, bus }),
    door: createBatchDoor({ providers: providers.current, routing: () => routing, books: accounts }),
    routing: () => routing,
    async close() {
      await accounts.close();
      await shared.close();
    },
  };
}

/** What replicas count and tell together; nothing, where the database is this process's own. */
function createSharedParts(deps: { database: Database; instance: string; clock: Clock; log: Logger }): {
  board?: CircuitBoard;
  inbound?: SlidingLimits;
  outbound?: SlidingLimits;
  close(): Promise<void>;
} {
  if (!deps.database.isShared) return { close: async () => {} };
  const board = createCircuitBoard(deps);
  const inbound = createSharedLimits({ ...deps, name: 'in' });
  const outbound = createSharedLimits({ ...deps, name: 'out' });
  return {
    board,
    inbound,
    outbound,
    async close() {
      await Promise.all([board.close(), inbound.close(), outbound.close()]);
    },
  };
}

/** What keeps batches from a machine that is hot, short of memory, or without power. */
function assembleStrain(deps: { configuration: ConfigStore; clock: Clock; log: Logger; isMemoryShort: () => boolean }) {
  const { configuration, clock, log, isMemoryShort } = deps;
  const { ups: address } = configuration.current().jobs;
  const ups = address === null ? null : createUps({ address, clock, log });
  return createStrain({
    settings: () => configuration.current().jobs,
    readers: {
      isMemoryShort,
      processorCelsius: () => readProcessorCelsius(sysFolder),
      power: () => readPower(join(sysFolder, 'power_supply')),
      ups: async () => ups?.read() ?? null,
    },
    clock,
    log,
  });
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
  const { planForPull, totalBytes, advise } = assemblePlanner(config);
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
    advise,
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
