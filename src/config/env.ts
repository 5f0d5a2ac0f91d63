import { imageVariable, programVariable } from './program-name.ts';
import { allSettings, fileSources, type Setting, type SettingPath } from './settings.ts';
import { sourceOf } from './source.ts';

/** Environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says: raw settings in the shape of the YAML file, and the variables that name files. */
interface EnvironmentSettings {
  raw: Record<string, unknown>;
  configFile: string | null;
  apiKeyFile: string | null;
  /** Files that hold the value of one setting. */
  files: { path: SettingPath; variable: string; filePath: string }[];
}

/**
 * Reads the variables of all settings from the record that the process's entry point hands over. An empty one counts as
 * not set, as compose files write `${X:-}` for that.
 */
export function readEnvironment(env: Environment): EnvironmentSettings {
  const values = allSettings.flatMap(({ path, setting }) => {
    const value = setting.env && readVariable(setting.env, env);
    return value === undefined ? [] : [{ path, value }];
  });
  return {
    raw: sourceOf(values),
    configFile: readVariable(fileSources.config.env, env) ?? null,
    apiKeyFile: readVariable(fileSources.apiKey.env, env) ?? null,
    files: allSettings.flatMap(({ path, setting }) => {
      const variable = `${setting.env?.name}_FILE`;
      const filePath = setting.env?.orFile && env[variable]?.trim();
      return filePath ? [{ path, variable, filePath }] : [];
    }),
  };
}

/** Other programs' variables count only with a value that we can use; ours is refused with a message. */
function readVariable(variable: NonNullable<Setting['env']>, env: Environment): string | undefined {
  const name = nameThatCounts(variable, env);
  return name === undefined ? undefined : env[name]?.trim();
}

/** Which of a setting's variables decides it, ours or another program's; undefined: none is set to what we can use. */
export function nameThatCounts(variable: NonNullable<Setting['env']>, env: Environment): string | undefined {
  const { name, others = [], acceptsOther = () => true } = variable;
  if (env[name]?.trim()) return name;
  return others.find((other) => {
    const text = env[other]?.trim();
    return text && acceptsOther(text);
  });
}

/** The variable behind a setting's path, for messages; null when there is none. */
export function variableOf(path: readonly PropertyKey[]): string | null {
  const found = allSettings.find(({ path: own }) => own.every((part, index) => part === path[index]));
  return found?.setting.env?.name ?? null;
}

/** What a source has at the place of a setting. */
export function valueAt(source: Readonly<Record<string, unknown>>, [name, key]: SettingPath): unknown {
  const section = source[name];
  if (key === undefined || section === undefined) return section;
  return (section as Record<string, unknown>)[key];
}

/** Variables that begin like Hearth's and that no setting reads, each with the names that are known. Those of its tests are left out. */
export function unknownVariables(env: Environment): { name: string; known: readonly string[] }[] {
  const known = [
    ...allSettings.flatMap(({ setting: { env: own } }) =>
      own ? [own.name, ...(own.orFile ? [`${own.name}_FILE`] : [])] : [],
    ),
    ...Object.values(fileSources).map(({ env: own }) => own.name),
    programVariable,
    imageVariable,
  ];
  return Object.keys(env)
    .filter((name) => /^HEARTH_(?!TEST_)/.test(name) && !known.includes(name))
    .map((name) => ({ name, known }));
}
