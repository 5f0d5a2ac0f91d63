import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { Problems } from './problems.ts';
import type { Config } from './schema.ts';

/** Rules across settings, which no single source can check. What breaks one goes to `problems`. */
export function checkConfig(config: Config, problems: Problems): void {
  // Keys that lie in a shared database are seen when that is open.
  if (config.storage.url === null && problems.areWhole('server', 'storage', 'keys', 'jwt')) {
    problems.attempt('server', () => checkReach(config, asksForKey(config)));
  }
  const { memoryLimitBytes, memoryReserveBytes } = config.engine;
  if (memoryLimitBytes !== null && memoryReserveBytes !== null && memoryLimitBytes <= memoryReserveBytes) {
    problems.add('engine.memory_limit: must be larger than engine.memory_reserve, which is taken off it');
  }
  checkAliases(config.models.aliases, config.models.default, problems);
  if (problems.areWhole('keys')) checkKeys(config.cloud.keys, problems);
  if (problems.areWhole('jobs')) checkWebhooks(config.jobs, problems);
}

/** Whoever sends a key has the rights of one entry, so that it cannot stand for two. */
function checkKeys(keys: Config['cloud']['keys'], problems: Problems): void {
  const nameOf = new Map<string, string>();
  for (const [index, { name, key }] of keys.entries()) {
    const other = nameOf.get(key.reveal());
    if (other !== undefined) problems.add(`keys.${index}.key: is the key of "${other}" too`);
    nameOf.set(key.reveal(), name);
  }
}

function checkWebhooks({ webhookHosts, webhookSecret, webhookUrl }: Config['jobs'], problems: Problems): void {
  if (webhookHosts.length > 0 && webhookSecret === null) {
    problems.add('jobs.webhook_hosts: needs jobs.webhook_secret, as what is sent is signed with it');
  }
  const host = webhookUrl === null ? null : new URL(webhookUrl).hostname;
  if (host !== null && !webhookHosts.includes(host)) {
    problems.add(`jobs.webhook_url: leads to ${host}, which is not in jobs.webhook_hosts`);
  }
}

/** Throws `ConfigError` where a server that asks for no key could be reached from other machines unasked. */
export function checkReach({ server: { host, allowAnonymous } }: Config, asksForKey: boolean): void {
  if (isLoopback(host) || allowAnonymous || asksForKey) return;
  throw new ConfigError(
    `server.host: ${host} can be reached from other machines, but no API key is set: set HEARTH_API_KEY, or HEARTH_ALLOW_ANONYMOUS=1 to serve everyone who can reach it`,
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

function checkAliases(
  aliases: Readonly<Record<string, string>>,
  defaultModel: string | null,
  problems: Problems,
): void {
  const targetOf = new Map<string, string>();
  for (const [alias, target] of Object.entries(aliases)) {
    const key = alias.toLowerCase();
    if (key === 'default') {
      problems.add('models.aliases.default: use models.default to choose the default model');
      continue;
    }
    if (targetOf.has(key)) problems.add(`models.aliases.${alias}: there is the same alias in other letters`);
    targetOf.set(key, target.toLowerCase());
  }
  if (defaultModel !== null) targetOf.set('default', defaultModel.toLowerCase());
  const told = new Set<string>();
  for (const start of targetOf.keys()) {
    const seen = new Set<string>();
    let name: string | undefined = start;
    while (name !== undefined && !seen.has(name)) {
      seen.add(name);
      name = targetOf.get(name);
    }
    // One ring is one problem, whichever of its names it is entered by.
    if (name === undefined || told.has(name)) continue;
    for (const one of seen) told.add(one);
    problems.add(`models.aliases: the alias ${start} leads back to itself`);
  }
}
