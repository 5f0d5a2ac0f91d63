import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { ConfigError } from './config-error.ts';
import type { Config } from './schema.ts';

/**
 * Makes the data folder. Throws `ConfigError` for folders that cannot be used: later they would only show as failures
 * of something else.
 */
export function prepareFolders(config: Config): void {
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
