import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../observe/logger.ts';
import { type Catalog, createCatalog } from './catalog/catalog.ts';
import { type MadeModels, openMadeModels } from './made-models/made-models.ts';
import { createStore, type Store, type StoreDeps } from './model-store.ts';
import { readPullCatalog } from './pull-catalog/pull-catalog.ts';

export type { Store };

const builtinModel = fileURLToPath(new URL('../../models/hearth-guide-3m-q8_0.gguf', import.meta.url));
const pullCatalogFile = new URL('../../models/catalog.json', import.meta.url);

/** The names that clients made, from the data folder. */
export function assembleMadeModels(config: Config, log: Logger): MadeModels {
  return openMadeModels(join(config.dataFolder, 'made-models.json'), log);
}

/** The models on disk, as configured. It is empty until its first refresh. */
export function assembleCatalog(config: Config, log: Logger, made: MadeModels): Catalog {
  return createCatalog({
    made,
    folders: [config.models.folder],
    followLinks: config.models.followLinks,
    builtinFile: config.models.builtin ? builtinModel : null,
    // The folder that is used where none is configured is the one that it lies in.
    hiddenFile: config.models.builtin ? null : builtinModel,
    aliases: config.models.aliases,
    defaultModel: config.models.default,
    knownNames: pullNames(),
    log,
  });
}

/** What can be pulled by a plain name, to the names that such models have on disk. */
export const pullNames = (): Record<string, string> => readPullCatalog(pullCatalogFile).namesOnDisk();

/** The store over the configured model folder. What an earlier run left is listed after `restore`. */
export function assembleStore(
  deps: Pick<
    StoreDeps,
    'advise' | 'bus' | 'catalog' | 'clock' | 'log' | 'made' | 'plan' | 'totalBytes' | 'unload' | 'version'
  > & { config: Config },
): Store {
  const { config } = deps;
  const { models, pulls } = config;
  return createStore({
    ...deps,
    settings: {
      endpoint: pulls.hub,
      token: pulls.hubToken,
      proxy: pulls.hubProxy === null ? null : { url: new URL(pulls.hubProxy), except: pulls.hubNoProxy },
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
  });
}
