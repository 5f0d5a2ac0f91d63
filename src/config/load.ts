import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { z } from 'zod';
import { ConfigError } from './config-error.ts';
import { type Environment, readEnvironment, valueAt, variableOf } from './env.ts';
import { wordsOf } from './problem-words.ts';
import { createProblems, type Problems } from './problems.ts';
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
 * `HEARTH_CONFIG` names and those that variables such as `HEARTH_API_KEY_FILE` name, nothing else. Throws `ConfigError` with
 * all that is wrong.
 */
export function loadConfig(sources: ConfigSources): Config {
  const { flags, cwd } = sources;
  const problems = createProblems();
  const environment = readEnvironment(sources.env);
  const configFile = configFileOf(sources);
  const file = configFile === null ? undefined : problems.attempt('*', () => readYamlFile(configFile));
  const settings = mergeSettings([
    { settings: settingsSchema.parse(defaultSource), base: projectFolder },
    ...(file === undefined ? [] : [fromFile(file, { env: sources.env, base: dirname(configFile!), problems })]),
    { settings: fromEnvironment(environment, cwd, problems), base: cwd },
    { settings: fromFlags(flags, problems), base: cwd },
  ]);
  const config = toConfig(settings, problems);
  checkConfig(config, problems);
  problems.throwIfAny(file && placesIn(file));
  return config;
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

/** Puts the place of a setting in front of a problem of it, where it is one of the file's. */
export function placesIn(file: YamlFile): (line: string) => string {
  return (line) => {
    const path = /^[^\s:]+/.exec(line)?.[0].split('.') ?? [];
    return isSet(file.raw, path.slice(0, 2)) ? `${file.where(path)}: ${line}` : line;
  };
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

function fromFile(file: YamlFile, place: { env: Environment; base: string; problems: Problems }): Source {
  const { base, problems } = place;
  const { filled, missing } = withVariables(file, place);
  for (const { path, name } of missing) {
    problems.add(`${file.where(path)}: ${path.join('.')}: the variable ${name} is not set`, String(path[0]));
  }
  const unset = new Set(missing.map(({ path }) => path.join('.')));
  const describe = problemsIn(file);
  // What such a variable would have said is not wrong as well.
  return {
    settings: parse(filled, (issue) => (unset.has(issue.path.join('.')) ? [] : describe(issue)), problems),
    base,
  };
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

/** The file with the variables that those of its sections name which may, and those of them that are not set. */
function withVariables(
  file: YamlFile,
  { env, base }: { env: Environment; base: string },
): { filled: Record<string, unknown>; missing: MissingVariable[] } {
  const missing: MissingVariable[] = [];
  const filled = Object.entries(file.raw).map(([name, section]) => [
    name,
    sectionsWithVariables.includes(name) ? fillIn(section, { env, base, path: [name], missing }) : section,
  ]);
  return { filled: Object.fromEntries(filled), missing };
}

function fromEnvironment(environment: ReturnType<typeof readEnvironment>, cwd: string, problems: Problems): Settings {
  const inFiles = environment.files.flatMap(({ path, variable, filePath }) => {
    if (valueAt(environment.raw, path) !== undefined) {
      const own = variable.replace(/_FILE$/, '');
      problems.add(`${own} and ${variable} are both set: set only one of them`, path[0]);
      return [];
    }
    const value = problems.attempt(path[0], () => readSecretFile(resolve(cwd, filePath), variable));
    return value === undefined ? [] : [{ path, value, variable }];
  });
  const describe = (issue: z.core.$ZodIssue) => [`${variableOf(issue.path) ?? issue.path.join('.')}: ${textOf(issue)}`];
  const settings = parse(environment.raw, describe, problems);
  const describeFile = (issue: z.core.$ZodIssue) => {
    const { variable } = inFiles.find(({ path }) => path.every((part, index) => part === issue.path[index]))!;
    return [`${variable}: ${textOf(issue)}`];
  };
  const ofFiles = parse(sourceOf(inFiles), describeFile, problems);
  settings.storage = { ...settings.storage, ...ofFiles.storage };
  settings.jobs = { ...settings.jobs, ...ofFiles.jobs };
  const { apiKeyFile } = environment;
  if (apiKeyFile === null) return settings;
  if (settings.server?.api_key !== undefined) {
    problems.add('HEARTH_API_KEY and HEARTH_API_KEY_FILE are both set: set only one of them', 'server');
    return settings;
  }
  const keys = problems.attempt('server', () => readKeyFile(resolve(cwd, apiKeyFile)));
  return { ...settings, server: { ...settings.server, ...(keys && { api_key: keys }) } };
}

function fromFlags(flags: ConfigFlags, problems: Problems): Settings {
  const given = allSettings.flatMap(({ path, setting }) => {
    const value = setting.flag && flags[setting.flag.name];
    return value === undefined ? [] : [{ path, value, name: setting.flag!.name }];
  });
  const describe = (issue: z.core.$ZodIssue) => {
    const { name } = given.find(({ path }) => path.every((part, index) => part === issue.path[index]))!;
    return [`--${name}: ${textOf(issue)}`];
  };
  return parse(sourceOf(given), describe, problems);
}

/**
 * Parses one source; `describe` turns each problem into lines that say where it stands. What is wrong is left out, so that the
 * rest can be looked at in the same go.
 */
export function parse(
  raw: Record<string, unknown>,
  describe: (issue: z.core.$ZodIssue) => string[],
  problems: Problems,
): Settings {
  const result = settingsSchema.safeParse(raw);
  if (result.success) return result.data;
  const { issues } = result.error;
  for (const issue of issues) for (const line of describe(issue)) problems.add(line);
  const whole = settingsSchema.safeParse(withoutWrong(raw, issues, problems.leaveOut));
  if (whole.success) return whole.data;
  problems.leaveOut('*');
  return {};
}

/** The source without the settings that have a problem; of sections with names of their own, without all of that name. */
function withoutWrong(
  raw: Record<string, unknown>,
  issues: readonly z.core.$ZodIssue[],
  leaveOut: (section: string) => void,
): Record<string, unknown> {
  const rest: Record<string, unknown> = { ...raw };
  for (const issue of issues) {
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : [undefined];
    for (const key of unknown) {
      const [name, part] = [...issue.path, ...(key === undefined ? [] : [key])].map(String);
      // Of a section that is misspelt nobody knows which it was to be.
      leaveOut(issue.path.length === 0 ? '*' : name!);
      const section = rest[name!];
      if (part === undefined || typeof section !== 'object' || section === null || Array.isArray(section)) {
        delete rest[name!];
      } else {
        rest[name!] = Object.fromEntries(Object.entries(section).filter(([own]) => own !== part));
      }
    }
  }
  return rest;
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
