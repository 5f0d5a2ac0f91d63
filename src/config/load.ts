import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { type Environment, readEnvironment, variableOf } from './env.ts';
import { checkConfig } from './rules.ts';
import type { Config } from './schema.ts';
import { mergeSettings, type Settings, settingsSchema } from './settings.ts';
import { readYamlFile } from './yaml-file.ts';

export { ConfigError };

/** Command-line flags, each as it was written. */
export interface ConfigFlags {
  host?: string | undefined;
  port?: string | number | undefined;
  models?: string | undefined;
  data?: string | undefined;
  config?: string | undefined;
}

const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The configuration from flags, environment and YAML file, in this order of precedence, over the defaults. Relative
 * folders count from `cwd`, those in the file from the file's folder. Reads the file that `--config` or
 * `HEARTH_CONFIG` names and the one that `HEARTH_API_KEY_FILE` names, nothing else. Throws `ConfigError`.
 */
export function loadConfig(sources: { flags: ConfigFlags; env: Environment; cwd: string }): Config {
  const { flags, cwd } = sources;
  const environment = readEnvironment(sources.env);
  const configFile = flags.config ?? environment.configFile;
  const config = withDefaults(
    mergeSettings([
      configFile === null ? {} : fromFile(resolve(cwd, configFile)),
      fromEnvironment(environment, cwd),
      fromFlags(flags, cwd),
    ]),
  );
  checkConfig(config);
  return config;
}

function fromFile(filePath: string): Settings {
  const file = readYamlFile(filePath);
  const settings = parse(file.raw, (issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(
          (key) => `${file.where(issue.path, key)}: ${[...issue.path, key].join('.')}: there is no such setting`,
        )
      : [`${file.where(issue.path)}: ${issue.path.join('.')}: ${issue.message}`],
  );
  return withAbsoluteFolders(settings, dirname(filePath));
}

function fromEnvironment(environment: ReturnType<typeof readEnvironment>, cwd: string): Settings {
  const settings = parse(environment.raw, (issue) => [
    `${variableOf(issue.path) ?? issue.path.join('.')}: ${issue.message}`,
  ]);
  if (environment.apiKeyFile !== null) {
    if (settings.server?.api_key !== undefined) {
      throw new ConfigError('HEARTH_API_KEY and HEARTH_API_KEY_FILE are both set: set only one of them');
    }
    settings.server = { ...settings.server, api_key: readKeyFile(resolve(cwd, environment.apiKeyFile)) };
  }
  return withAbsoluteFolders(settings, cwd);
}

function fromFlags(flags: ConfigFlags, cwd: string): Settings {
  const raw = {
    server: defined({ host: flags.host, port: flags.port }),
    models: defined({ folder: flags.models }),
    ...defined({ data_folder: flags.data }),
  };
  const flagOf: Readonly<Record<string, string>> = { folder: '--models', data_folder: '--data' };
  const settings = parse(raw, (issue) => {
    const last = String(issue.path.at(-1));
    return [`${flagOf[last] ?? `--${last}`}: ${issue.message}`];
  });
  return withAbsoluteFolders(settings, cwd);
}

/** Parses one source; `describe` turns each problem into lines that say where it stands. */
function parse(raw: unknown, describe: (issue: z.core.$ZodIssue) => string[]): Settings {
  const result = settingsSchema.safeParse(raw);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.flatMap(describe).join('\n'));
}

function withAbsoluteFolders(settings: Settings, base: string): Settings {
  const folder = settings.models?.folder;
  const importFolders = settings.models?.import_folders?.map((path) => resolve(base, path));
  return {
    ...settings,
    ...((folder !== undefined || importFolders !== undefined) && {
      models: {
        ...settings.models,
        ...(folder !== undefined && { folder: resolve(base, folder) }),
        ...(importFolders !== undefined && { import_folders: importFolders }),
      },
    }),
    ...(settings.data_folder !== undefined && { data_folder: resolve(base, settings.data_folder) }),
  };
}

/** Keys of a file: one a line, or with commas between them. */
function readKeyFile(filePath: string): string[] {
  let keys: string;
  try {
    keys = readFileSync(filePath, 'utf8').trim().replace(/\r?\n/g, ',');
  } catch (error) {
    throw new ConfigError(`HEARTH_API_KEY_FILE: ${filePath} cannot be read`, { cause: error });
  }
  const parsed = settingsSchema.shape.server.unwrap().shape.api_key.unwrap().safeParse(keys);
  if (!parsed.success)
    throw new ConfigError(`HEARTH_API_KEY_FILE: a key in ${filePath} must be 1 to 512 characters without blanks`);
  return parsed.data;
}

function withDefaults(settings: Settings): Config {
  const { server = {}, models = {}, engine = {}, log = {} } = settings;
  return {
    server: {
      host: (server.host ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1'),
      port: server.port ?? 8000,
      allowedHosts: server.allowed_hosts ?? [],
      origins: server.origins ?? [],
      apiKeys: server.api_key ?? [],
      allowAnonymous: server.allow_anonymous ?? false,
      bodyLimitBytes: server.body_limit ?? 4 * 2 ** 20,
      drainMs: server.drain ?? 8_000,
    },
    models: {
      folder: models.folder ?? join(projectFolder, 'models'),
      default: models.default ?? null,
      aliases: models.aliases ?? {},
      keepAliveMs: models.keep_alive ?? 5 * 60_000,
      keepAliveMsOf: models.keep_alives ?? {},
      pinned: models.pinned ?? [],
      contextTokens: models.context_length ?? null,
      parallel: models.parallel ?? null,
      maxQueue: models.max_queue ?? 64,
      prefixVaultBytes: models.prefix_vault ?? 2 ** 30,
      prefixVaultMinMs: models.prefix_vault_min ?? 2_000,
      pinnedPrompts: models.pinned_prompts ?? [],
      prefixSharing: models.prefix_sharing ?? 'per_key',
      loadTimeoutMs: models.load_timeout ?? 10 * 60_000,
    },
    pulls: {
      hub: models.hub ?? 'https://huggingface.co',
      hubToken: models.hub_token ?? null,
      hubProxy: proxyAddress(models.hub_proxy),
      hubNoProxy: models.hub_no_proxy ?? [],
      hosts: models.pull_hosts ?? [],
      allowPrivate: models.pull_allow_private ?? false,
      bytesPerSecond: models.pull_rate ?? null,
      hours: models.pull_window ?? null,
      reserveBytes: models.pull_reserve ?? 2 ** 30,
      resume: models.pull_resume ?? true,
      importFolders: models.import_folders ?? [],
    },
    engine: {
      threads: engine.threads ?? null,
      calibrate: engine.calibrate ?? true,
      drafts: engine.drafts ?? 'auto',
      gpu: engine.gpu ?? 'auto',
      memoryReserveBytes: engine.memory_reserve ?? 256 * 2 ** 20,
      memoryLimitBytes: engine.memory_limit ?? null,
    },
    dataFolder: settings.data_folder ?? join(projectFolder, 'data'),
    log: { level: log.level ?? 'info' },
  };
}

/** The entries that have a value. */
function defined(entries: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
}

function proxyAddress(text: string | undefined): string | null {
  if (text === undefined || text === 'none') return null;
  return text.includes('://') ? text : `http://${text}`;
}
