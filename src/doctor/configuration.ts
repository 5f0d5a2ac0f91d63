import { isLoopback } from '../config/rules.ts';
import type { Config } from '../config/schema.ts';
import type { SayCommand } from '../core/say-command.ts';
import { type Finding, failure, ok, warning } from './finding.ts';

/** What is known of the configuration. */
export interface ConfigurationFacts {
  /** Null: it cannot be used. */
  config: Config | null;
  /** Why not, a line for each problem with its place in the file; null: it can. */
  problem: string | null;
  /** What works and is likely a mistake. */
  warnings: readonly string[];
  /** Absolute path; null: none is named. */
  filePath: string | null;
  asksForKey: boolean;
  /** Variables that begin like ours and are none, with the name that was likely meant. */
  unknownVariables: readonly { name: string; nearest: string | null }[];
}

/** The configuration, and the keys in it, which are counted and never shown. */
export function checkConfiguration(about: ConfigurationFacts, sayCommand: SayCommand): Finding[] {
  const { config } = about;
  return [
    checkFile(about, sayCommand),
    checkVariables(about),
    ...(config === null ? [] : [checkKeys(about, config, sayCommand), checkProviderKeys(config)]),
  ];
}

function checkFile({ problem, warnings, filePath }: ConfigurationFacts, sayCommand: SayCommand): Finding {
  const [id, title] = ['config.file', 'Configuration'];
  const facts = { file: filePath, problems: problem?.split('\n') ?? [], warnings };
  if (problem !== null) {
    return failure(id, title, problem, {
      facts,
      means: 'Hearth does not start, and one that runs keeps the old configuration.',
      fix: `Correct it; ${sayCommand('config check')} says whether it can be used.`,
    });
  }
  if (warnings.length > 0) return warning(id, title, warnings.join('; '), { facts, fix: 'See docs/gateway.md.' });
  return ok(id, title, filePath ?? 'no file; flags, variables and defaults', { facts });
}

function checkVariables({ unknownVariables }: ConfigurationFacts): Finding {
  const [id, title] = ['config.variables', 'Variables'];
  const facts = { unknown: unknownVariables.map(({ name }) => name) };
  if (unknownVariables.length === 0) return ok(id, title, 'all HEARTH_ variables are known', { facts });
  const found = unknownVariables
    .map(({ name, nearest }) => `${name}${nearest === null ? '' : ` (${nearest}?)`}`)
    .join(', ');
  return warning(id, title, found, {
    facts,
    means: 'Nothing reads them: what they were to set is as if they were not there.',
    fix: 'Correct the names, as docs/configuration.md has them.',
  });
}

function checkKeys({ asksForKey }: ConfigurationFacts, { server, cloud }: Config, sayCommand: SayCommand): Finding {
  const [id, title] = ['config.keys', 'Keys'];
  const { host, allowAnonymous } = server;
  const facts = {
    asks_for_key: asksForKey,
    keys_of_settings: server.apiKeys.length,
    keys_of_file: cloud.keys.length,
    host,
    allows_anonymous: allowAnonymous,
  };
  if (!asksForKey && !isLoopback(host)) {
    return warning(id, title, `none, and ${host} can be reached from other machines`, {
      facts,
      means: 'Everyone who reaches this machine may use, load and delete models.',
      fix: `Make a key: ${sayCommand('key create NAME')}.`,
    });
  }
  if (!asksForKey) return ok(id, title, 'none is asked for; only programs of this machine reach it', { facts });
  return ok(id, title, 'clients are asked for one', { facts });
}

function checkProviderKeys({ cloud }: Config): Finding {
  const [id, title] = ['config.providers', 'Provider keys'];
  const all = [...cloud.providers.values()];
  const facts = {
    providers: all.map(({ id: name, type, enabled, apiKey }) => ({
      id: name,
      type,
      enabled,
      has_key: apiKey !== null,
    })),
    cloud_allowed: cloud.cloudAllowed,
  };
  if (all.length === 0) return ok(id, title, 'no provider beside this machine', { facts });
  const found = all.map(({ id: name, apiKey, type, enabled }) => {
    const key = apiKey !== null ? 'key set' : type === 'bedrock' ? 'credentials of AWS' : 'no key';
    return `${name} (${enabled ? key : 'off'})`;
  });
  return ok(id, title, `${found.join(', ')}${cloud.cloudAllowed ? '' : '; nothing leaves, by global.cloud'}`, {
    facts,
  });
}
