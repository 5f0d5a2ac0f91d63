import { isProxyAddress } from './settings.ts';

/**
 * Environment variables and the setting that each one gives. This file is the only place that knows their names;
 * the record of values comes from the process's entry point.
 */
export const settingOfVariable = {
  HEARTH_HOST: ['server', 'host'],
  HEARTH_PORT: ['server', 'port'],
  HEARTH_ALLOWED_HOSTS: ['server', 'allowed_hosts'],
  HEARTH_ORIGINS: ['server', 'origins'],
  HEARTH_API_KEY: ['server', 'api_key'],
  HEARTH_ALLOW_ANONYMOUS: ['server', 'allow_anonymous'],
  HEARTH_BODY_LIMIT: ['server', 'body_limit'],
  HEARTH_DRAIN: ['server', 'drain'],
  HEARTH_MODELS: ['models', 'folder'],
  HEARTH_DEFAULT_MODEL: ['models', 'default'],
  HEARTH_KEEP_ALIVE: ['models', 'keep_alive'],
  HEARTH_PINNED: ['models', 'pinned'],
  HEARTH_CONTEXT_LENGTH: ['models', 'context_length'],
  HEARTH_PARALLEL: ['models', 'parallel'],
  HEARTH_MAX_QUEUE: ['models', 'max_queue'],
  HEARTH_PREFIX_VAULT: ['models', 'prefix_vault'],
  HEARTH_PREFIX_VAULT_MIN: ['models', 'prefix_vault_min'],
  HEARTH_PREFIX_SHARING: ['models', 'prefix_sharing'],
  HEARTH_LOAD_TIMEOUT: ['models', 'load_timeout'],
  HEARTH_HUB: ['models', 'hub'],
  HEARTH_HUB_TOKEN: ['models', 'hub_token'],
  HEARTH_HUB_PROXY: ['models', 'hub_proxy'],
  HEARTH_HUB_NO_PROXY: ['models', 'hub_no_proxy'],
  HEARTH_PULL_HOSTS: ['models', 'pull_hosts'],
  HEARTH_PULL_ALLOW_PRIVATE: ['models', 'pull_allow_private'],
  HEARTH_PULL_RATE: ['models', 'pull_rate'],
  HEARTH_PULL_WINDOW: ['models', 'pull_window'],
  HEARTH_PULL_RESERVE: ['models', 'pull_reserve'],
  HEARTH_PULL_RESUME: ['models', 'pull_resume'],
  HEARTH_IMPORT_FOLDERS: ['models', 'import_folders'],
  HEARTH_THREADS: ['engine', 'threads'],
  HEARTH_CALIBRATE: ['engine', 'calibrate'],
  HEARTH_GPU: ['engine', 'gpu'],
  HEARTH_DRAFTS: ['engine', 'drafts'],
  HEARTH_MEMORY_RESERVE: ['engine', 'memory_reserve'],
  HEARTH_MEMORY_LIMIT: ['engine', 'memory_limit'],
  HEARTH_DATA: ['data_folder'],
  HEARTH_LOG_LEVEL: ['log', 'level'],
} as const satisfies Readonly<Record<string, readonly [string] | readonly [string, string]>>;

/** Variables of the hub's own tools and of proxies, which count where ours is not set; the first that is set. */
const commonVariables: Readonly<Record<string, readonly string[]>> = {
  HEARTH_HUB: ['HF_ENDPOINT'],
  HEARTH_HUB_TOKEN: ['HF_TOKEN'],
  HEARTH_HUB_PROXY: ['https_proxy', 'HTTPS_PROXY'],
  HEARTH_HUB_NO_PROXY: ['no_proxy', 'NO_PROXY'],
};

export type SettingVariable = keyof typeof settingOfVariable;

/** Environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says: raw settings in the shape of the YAML file, and the two variables that name files. */
export interface EnvironmentSettings {
  raw: Record<string, unknown>;
  configFile: string | null;
  apiKeyFile: string | null;
}

/** Reads the variables; an empty one counts as not set, as compose files write `${X:-}` for that. */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const raw: Record<string, unknown> = {};
  for (const [variable, setting] of Object.entries(settingOfVariable)) {
    const value = [env[variable], ...commonValues(variable, env)].find((text) => text?.trim());
    if (value === undefined) continue;
    const [section, key] = setting as readonly [string, string?];
    if (key === undefined) raw[section] = value.trim();
    else raw[section] = { ...(raw[section] as Record<string, unknown> | undefined), [key]: value.trim() };
  }
  return {
    raw,
    configFile: env['HEARTH_CONFIG']?.trim() || null,
    apiKeyFile: env['HEARTH_API_KEY_FILE']?.trim() || null,
  };
}

/** Values that were set for many programs: one that we cannot use (a SOCKS proxy) is no reason not to start. */
function commonValues(variable: string, env: Environment): (string | undefined)[] {
  const values = (commonVariables[variable] ?? []).map((name) => env[name]);
  return variable === 'HEARTH_HUB_PROXY' ? values.filter((text) => isProxyAddress(text?.trim() ?? '')) : values;
}

/** The variable behind a setting's path, for messages; null when there is none. */
export function variableOf(path: readonly PropertyKey[]): string | null {
  const found = Object.entries(settingOfVariable).find(([, setting]) =>
    setting.every((part, index) => part === path[index]),
  );
  return found?.[0] ?? null;
}
