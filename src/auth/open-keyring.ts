import { madeKeysPath } from '../config/rules.ts';
import type { Config } from '../config/schema.ts';
import type { Clock } from '../core/clock.ts';
import type { Logger } from '../observe/logger.ts';
import type { Database } from '../storage/storage.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { createMadeKeys } from './made-keys.ts';
import { openSharedKeys } from './shared-keys.ts';
import { createTokens } from './tokens.ts';

/** Every key of a configuration, and those that were made. Rejects where they cannot be read, with `ConfigError` for a file. */
export async function openKeyring(deps: {
  config: () => Config;
  database: Database;
  log: Logger;
  clock: Clock;
  localKey: string;
}): Promise<{ keyring: Keyring; close(): void }> {
  const { config, database, log, clock, localKey } = deps;
  const filePath = madeKeysPath(config());
  const warn = (err: unknown) => log.error({ err }, 'the keys cannot be read; those that were read last count');
  const tokens = createTokens(clock);
  if (!database.isShared) {
    const made = createMadeKeys({ path: filePath, clock, warn });
    return { keyring: createKeyring({ config, made, tokens, clock, localKey }), close: () => {} };
  }
  const made = await openSharedKeys({ database, filePath, clock, warn });
  return { keyring: createKeyring({ config, made, tokens, clock, localKey }), close: made.close };
}
