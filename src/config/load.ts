import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { type Environment, readEnvironment, variableOf } from './env.ts';
import { checkConfig } from './rules.ts';
import { type Config, toConfig } from './schema.ts';
import { allSettings, fileSources } from './settings.ts';
import { defaultSource, mergeSettings, type Settings, type Source, settingsSchema, sourceOf } from './source.ts';
import { readYamlFile } from './yaml-file.ts';

export { ConfigError };

/** Command-line flags by name, each as it was written. What belongs to a command and not to the server is left alone. */
export type ConfigFlags = Readonly<Record<string, unknown>>;

const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The configuration from flags, environment and YAML file, in this order of precedence, over the defaults. Relative
 * folders count from `cwd`, those in the file from the file's folder. Reads the file that `--config` or
 * `HEARTH_CONFIG` names and the one that `HEARTH_API_KEY_FILE` names, nothing else. Throws `ConfigError`.
 */
export function loadConfig(sources: { flags: ConfigFlags; env: Environment; cwd: string }): Config {
  const { flags, cwd } = sources;
  const environment = readEnvironment(sources.env);
  const flag = flags[fileSources.config.flag.name];
  const configFile = typeof flag === 'string' ? flag : environment.configFile;
  const config = toConfig(
    mergeSettings([
      { settings: settingsSchema.parse(defaultSource), base: projectFolder },
      ...(configFile === null ? [] : [fromFile(resolve(cwd, configFile))]),
      { settings: fromEnvironment(environment, cwd), base: cwd },
      { settings: fromFlags(flags), base: cwd },
    ]),
  );
  checkConfig(config);
  return config;
}

/** The flags that set something, for the command line's help: `--host <address>`, and what it is good for. */
export function configFlags(): { flags: string; help: string }[] {
  return [...allSettings.map(({ setting }) => setting), fileSources.config].flatMap(({ flag, env, help }) =>
    flag === undefined
      ? []
      : [
          {
            flags: `--${flag.name} <${flag.value}>`,
            help: `${help.replaceAll('`', '')}${env ? ` (${env.name})` : ''}`,
          },
        ],
  );
}

function fromFile(filePath: string): Source {
  const file = readYamlFile(filePath);
  const settings = parse(file.raw, (issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map(
          (key) => `${file.where(issue.path, key)}: ${[...issue.path, key].join('.')}: there is no such setting`,
        )
      : [`${file.where(issue.path)}: ${issue.path.join('.')}: ${issue.message}`],
  );
  return { settings, base: dirname(filePath) };
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
  return settings;
}

function fromFlags(flags: ConfigFlags): Settings {
  const given = allSettings.flatMap(({ path, setting }) => {
    const value = setting.flag && flags[setting.flag.name];
    return value === undefined ? [] : [{ path, value, name: setting.flag!.name }];
  });
  return parse(sourceOf(given), (issue) => {
    const { name } = given.find(({ path }) => path.every((part, index) => part === issue.path[index]))!;
    return [`--${name}: ${issue.message}`];
  });
}

/** Parses one source; `describe` turns each problem into lines that say where it stands. */
function parse(raw: unknown, describe: (issue: z.core.$ZodIssue) => string[]): Settings {
  const result = settingsSchema.safeParse(raw);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.flatMap(describe).join('\n'));
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
