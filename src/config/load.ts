import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { type Environment, readEnvironment, valueAt, variableOf } from './env.ts';
import { wordsOf } from './problem-words.ts';
import { checkConfig } from './rules.ts';
import { type Config, toConfig } from './schema.ts';
import { allSettings, fileSources, sectionsWithVariables } from './settings.ts';
import { defaultSource, mergeSettings, type Settings, type Source, settingsSchema, sourceOf } from './source.ts';
import { fillIn, type MissingVariable } from './variables.ts';
import { readYamlFile, type YamlFile } from './yaml-file.ts';

export { ConfigError };

/** Command-line flags by name, each as it was written. What belongs to a command and not to the server is left alone. */
export type ConfigFlags = Readonly<Record<string, unknown>>;

/** Where the configuration comes from; relative paths of flags and variables count from `cwd`. */
export interface ConfigSources {
  flags: ConfigFlags;
  env: Environment;
  cwd: string;
}

const projectFolder = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The configuration from flags, environment and YAML file, in this order of precedence, over the defaults. Relative
 * folders count from `cwd`, those in the file from the file's folder. Reads the file that `--config` or
 * `HEARTH_CONFIG` names and those that variables such as `HEARTH_API_KEY_FILE` name, nothing else. Throws `ConfigError`.
 */
export function loadConfig(sources: ConfigSources): Config {
  const { flags, cwd } = sources;
  const environment = readEnvironment(sources.env);
  const configFile = configFileOf(sources);
  const file = configFile === null ? null : readYamlFile(configFile);
  const settings = mergeSettings([
    { settings: settingsSchema.parse(defaultSource), base: projectFolder },
    ...(file === null ? [] : [fromFile(file, { env: sources.env, base: dirname(configFile!) })]),
    { settings: fromEnvironment(environment, cwd), base: cwd },
    { settings: fromFlags(flags), base: cwd },
  ]);
  try {
    const config = toConfig(settings);
    checkConfig(config);
    return config;
  } catch (error) {
    throw file !== null && error instanceof ConfigError ? withPlaces(error, file) : error;
  }
}

/** Absolute path of the YAML file that flags or environment name; null: they name none. */
export function configFileOf(sources: ConfigSources): string | null {
  const flag = sources.flags[fileSources.config.flag.name];
  const filePath = typeof flag === 'string' ? flag : readEnvironment(sources.env).configFile;
  return filePath === null ? null : resolve(sources.cwd, filePath);
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

/** What is expected of a flag or a variable, which itself is not shown. */
function textOf(issue: z.core.$ZodIssue): string {
  return wordsOf(issue)
    .map(({ text }) => text)
    .join('; ');
}

/** The same problems, each with the place of its setting where that is one of the file's. */
export function withPlaces(error: ConfigError, file: YamlFile): ConfigError {
  const lines = error.message.split('\n').map((line) => {
    const path = /^[^\s:]+/.exec(line)?.[0].split('.') ?? [];
    return isSet(file.raw, path.slice(0, 2)) ? `${file.where(path)}: ${line}` : line;
  });
  return new ConfigError(lines.join('\n'), { cause: error.cause });
}

function readSecretFile(filePath: string, variable: string): string {
  try {
    return readFileSync(filePath, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`${variable}: ${filePath} cannot be read`, { cause: error });
  }
}

function isSet(value: unknown, path: readonly string[]): boolean {
  const [name, ...rest] = path;
  if (name === undefined) return true;
  return (
    typeof value === 'object' && value !== null && Object.hasOwn(value, name) && isSet(Reflect.get(value, name), rest)
  );
}

function fromFile(file: YamlFile, place: { env: Environment; base: string }): Source {
  return { settings: parse(withVariables(file, place), problemsIn(file)), base: place.base };
}

/** Words a problem of a file's settings: lines that say where it stands. */
export function problemsIn(file: YamlFile): (issue: z.core.$ZodIssue) => string[] {
  return (issue) =>
    wordsOf(issue, file.raw).map(({ path, text }) => {
      const isUnknown = issue.code === 'unrecognized_keys';
      const place = isUnknown ? file.where(issue.path, String(path.at(-1))) : file.where(path);
      return `${place}: ${path.join('.')}: ${text}`;
    });
}

/** The file with the variables that those of its sections name which may. */
function withVariables(file: YamlFile, place: { env: Environment; base: string }): Record<string, unknown> {
  const missing: MissingVariable[] = [];
  const filled = Object.entries(file.raw).map(([name, section]) => [
    name,
    sectionsWithVariables.includes(name) ? fillIn(section, { ...place, path: [name], missing }) : section,
  ]);
  if (missing.length === 0) return Object.fromEntries(filled);
  const lines = missing.map(
    ({ path, name }) => `${file.where(path)}: ${path.join('.')}: the variable ${name} is not set`,
  );
  throw new ConfigError(lines.join('\n'));
}

function fromEnvironment(environment: ReturnType<typeof readEnvironment>, cwd: string): Settings {
  const inFiles = environment.files.map(({ path, variable, filePath }) => {
    if (valueAt(environment.raw, path) !== undefined) {
      const own = variable.replace(/_FILE$/, '');
      throw new ConfigError(`${own} and ${variable} are both set: set only one of them`);
    }
    return { path, value: readSecretFile(resolve(cwd, filePath), variable), variable };
  });
  const settings = parse(environment.raw, (issue) => [
    `${variableOf(issue.path) ?? issue.path.join('.')}: ${textOf(issue)}`,
  ]);
  const ofFiles = parse(sourceOf(inFiles), (issue) => {
    const { variable } = inFiles.find(({ path }) => path.every((part, index) => part === issue.path[index]))!;
    return [`${variable}: ${textOf(issue)}`];
  });
  settings.storage = { ...settings.storage, ...ofFiles.storage };
  settings.jobs = { ...settings.jobs, ...ofFiles.jobs };
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
    return [`--${name}: ${textOf(issue)}`];
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
