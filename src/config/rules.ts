import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { Config } from './schema.ts';

/** Rules across settings, which no single source can check. Throws `ConfigError`. */
export function checkConfig(config: Config): void {
  // Keys that lie in a shared database are seen when that is open.
  if (config.storage.url === null) checkReach(config, asksForKey(config));
  const { memoryLimitBytes, memoryReserveBytes } = config.engine;
  if (memoryLimitBytes !== null && memoryReserveBytes !== null && memoryLimitBytes <= memoryReserveBytes) {
    throw new ConfigError('engine.memory_limit must be larger than engine.memory_reserve, which is taken off it');
  }
  checkAliases(config.models.aliases, config.models.default);
  checkWebhooks(config.jobs);
}

function checkWebhooks({ webhookHosts, webhookSecret, webhookUrl }: Config['jobs']): void {
  if (webhookHosts.length > 0 && webhookSecret === null) {
    throw new ConfigError('jobs.webhook_hosts needs jobs.webhook_secret: what is sent is signed with it');
  }
  const host = webhookUrl === null ? null : new URL(webhookUrl).hostname;
  if (host !== null && !webhookHosts.includes(host)) {
    throw new ConfigError(`jobs.webhook_url leads to ${host}, which is not in jobs.webhook_hosts`);
  }
}

/** Throws `ConfigError` where a server that asks for no key could be reached from other machines unasked. */
export function checkReach({ server: { host, allowAnonymous } }: Config, asksForKey: boolean): void {
  if (isLoopback(host) || allowAnonymous || asksForKey) return;
  throw new ConfigError(
    `host ${host} can be reached from other machines, but no API key is set: set HEARTH_API_KEY, or HEARTH_ALLOW_ANONYMOUS=1 to serve everyone who can reach it`,
  );
}

/** File of the keys that were made by command or API. Where it is there, a key is asked for. */
export function madeKeysPath({ dataFolder }: Pick<Config, 'dataFolder'>): string {
  return join(dataFolder, 'keys.json');
}

/** Whether requests need a key or a token, with this configuration and what lies in its data folder. */
export function asksForKey(config: Config): boolean {
  const { keys, jwt } = config.cloud;
  return config.server.apiKeys.length > 0 || keys.length > 0 || jwt !== null || existsSync(madeKeysPath(config));
}

/** Whether only programs on this machine can reach a server bound to `host`. */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  if (bare === 'localhost' || bare === '::1') return true;
  const mapped = bare.replace(/^::ffff:/, '');
  return isIP(mapped) === 4 && mapped.startsWith('127.');
}

function checkAliases(aliases: Readonly<Record<string, string>>, defaultModel: string | null): void {
  const targetOf = new Map<string, string>();
  for (const [alias, target] of Object.entries(aliases)) {
    const key = alias.toLowerCase();
    if (key === 'default')
      throw new ConfigError('models.aliases.default: use models.default to choose the default model');
    if (targetOf.has(key)) throw new ConfigError(`models.aliases.${alias}: there is the same alias in other letters`);
    targetOf.set(key, target.toLowerCase());
  }
  if (defaultModel !== null) targetOf.set('default', defaultModel.toLowerCase());
  for (const start of targetOf.keys()) {
    const seen = new Set<string>();
    for (let name: string | undefined = start; name !== undefined; name = targetOf.get(name)) {
      if (seen.has(name)) throw new ConfigError(`models.aliases: the alias ${start} leads back to itself`);
      seen.add(name);
    }
  }
}
