import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { DailyHours } from '../core/daily-hours.ts';
import type { FitOutcome } from '../core/plan.ts';
import type { ModelStore, RemovedModel } from '../core/pull.ts';
import type { AdviseQuantization } from '../core/quantization-advice.ts';
import type { Bus } from '../observe/bus.ts';
import type { Logger } from '../observe/logger.ts';
import { createBlobs } from './blobs/blobs.ts';
import { type Catalog, chooseVariant } from './catalog/catalog.ts';
import { type GgufFacts, readGgufHeader } from './gguf/gguf.ts';
import { createHub, type HubProxy, hubCdnHosts, type LookUpHost } from './hub/hub.ts';
import { importFile } from './import-file.ts';
import type { MadeModels } from './made-models/made-models.ts';
import { makeModel } from './make-model.ts';
import { listAvailable, type PullCatalog } from './pull-catalog/pull-catalog.ts';
import { createPulls } from './pulls/pulls.ts';
import { removeModel } from './remove.ts';
import { roughlyFits, searchModels } from './search-models.ts';
import { suggestModels } from './suggest-models.ts';

/** What an operator sets about pulls and imports. */
export interface StoreSettings {
  /** Base address of the hub. */
  endpoint: string;
  /** Sent to the hub only. */
  token: string | null;
  /** Null: the hub is reached directly. */
  proxy: HubProxy | null;
  /** Hosts beside the hub's own that it may redirect to, each with everything under it. */
  hosts: readonly string[];
  allowPrivate: boolean;
  /** Null: as fast as it comes. */
  bytesPerSecond: number | null;
  /** Null: at any time. */
  hours: DailyHours | null;
  /** Space that is left free. */
  reserveBytes: number;
  /** Folders that clients may import from, absolute. */
  importFolders: readonly string[];
}

export interface StoreDeps {
  settings: StoreSettings;
  /** Absolute path of the model folder. */
  folder: string;
  /** Absolute path of the folder for state. */
  dataFolder: string;
  builtinFile: string | null;
  configuredNames: readonly string[];
  catalog: Pick<Catalog, 'refresh' | 'resolve' | 'models'>;
  /** Names that clients made. */
  made: MadeModels;
  /** What can be pulled by a plain name. */
  pullCatalog: Pick<PullCatalog, 'models' | 'find'>;
  unload: (ids: readonly string[]) => Promise<void>;
  /** Plans a model over all memory that the server may use. */
  plan: (facts: GgufFacts) => FitOutcome;
  totalBytes: () => number;
  /** Which quantizations this processor is faster with. */
  advise: AdviseQuantization;
  clock: Clock;
  log: Logger;
  bus: Pick<Bus, 'publish'>;
  version: string;
  /** For tests; left out: what the machine has. */
  lookUpHost?: LookUpHost;
  random?: () => number;
  readFreeBytes?: (folder: string) => Promise<number>;
  pieceBytes?: number;
}

/** The store with what only the composition root needs. */
export interface Store extends ModelStore {
  /** Lists what an earlier run left. Never rejects. */
  restore(): Promise<void>;
  /** Continues what an earlier run left and nobody stopped. */
  resume(): void;
  /** Number of pulls that run or wait. */
  activePulls(): number;
}

/** So much is fetched again at most after a crash. */
const pieceBytes = 16 * 2 ** 20;

/** Models that come and go: pulls, imports and removals over one model folder. */
export function createStore(deps: StoreDeps): Store {
  const { settings, clock, folder, catalog, made, log, bus } = deps;
  const fits = (sizeBytes: number) => roughlyFits(sizeBytes, deps.totalBytes());
  const hub = createHub({
    rules: {
      endpoint: new URL(settings.endpoint),
      hosts: [...hubCdnHosts, ...settings.hosts],
      allowPrivate: settings.allowPrivate,
    },
    token: settings.token,
    proxy: settings.proxy,
    findEntry: deps.pullCatalog.find,
    fits,
    clock,
    userAgent: `hearth/${deps.version}`,
    ...(deps.lookUpHost && { lookUpHost: deps.lookUpHost }),
  });
  const space = {
    reserveBytes: settings.reserveBytes,
    ...(deps.readFreeBytes && { readFreeBytes: deps.readFreeBytes }),
  };
  const published = async (filePath: string) => {
    await catalog.refresh();
    const variants = catalog.models().flatMap((model) => model.variants);
    return variants.find((variant) => variant.filePath === filePath)?.id ?? null;
  };
  const pulls = createPulls({
    hub,
    clock,
    hours: settings.hours,
    bytesPerSecond: settings.bytesPerSecond,
    random: deps.random ?? Math.random,
    folder,
    savedPath: join(deps.dataFolder, 'pulls.json'),
    pieceBytes: deps.pieceBytes ?? pieceBytes,
    log,
    bus,
    ...space,
    plan: deps.plan,
    totalBytes: deps.totalBytes,
    fits,
    advise: deps.advise,
    published,
  });

  const blobs = createBlobs({ folder, ...space, now: clock.now });
  const madeNames = made.list;

  /** Of a made name the name goes, and its file where it was made for it and nobody else uses it. */
  const remove = async (name: string): Promise<RemovedModel[]> => {
    const doomed = made.find(name);
    if (!doomed) return removeModel({ ...deps, madeNames }, name);
    await made.remove(name);
    const isShared = made.list().some(({ from }) => from === doomed.from);
    if (doomed.ownsFile && !isShared) return removeModel({ ...deps, madeNames }, doomed.from);
    return [{ model: doomed.name, files: [], sizeBytes: 0, freedBytes: 0 }];
  };

  return {
    async available() {
      await catalog.refresh();
      return listAvailable(deps.pullCatalog.models, catalog.models(), deps.advise);
    },
    async suggest(bytesPerSecond) {
      await catalog.refresh();
      const available = listAvailable(deps.pullCatalog.models, catalog.models(), deps.advise);
      return suggestModels(available, { memoryBytes: deps.totalBytes(), bytesPerSecond });
    },
    async search(query, limit, signal) {
      await catalog.refresh();
      const available = listAvailable(deps.pullCatalog.models, catalog.models(), deps.advise);
      const about = {
        hub,
        available,
        onDisk: catalog.models(),
        memoryBytes: deps.totalBytes(),
        advise: deps.advise,
      };
      return searchModels(about, query, limit, signal);
    },
    pull: pulls.start,
    pulls: pulls.list,
    getPull: pulls.get,
    watchPull: pulls.watch,
    cancelPull: pulls.cancel,
    remove,
    madeModels: made.list,
    findMade: made.find,
    make: (wish) => makeModel({ made, catalog, blobs, folder, published, clock }, wish),
    async header(name) {
      await catalog.refresh();
      const { model, variant } = catalog.resolve(name);
      return readGgufHeader((variant ?? chooseVariant(model)).filePath);
    },
    hasBlob: blobs.has,
    saveBlob: blobs.save,
    importFile: (filePath, options) =>
      importFile({ folder, importFolders: settings.importFolders, ...space, published }, filePath, options),
    restore: pulls.restore,
    resume: pulls.resume,
    activePulls: pulls.active,
    async close() {
      await pulls.close();
      hub.close();
    },
  };
}
