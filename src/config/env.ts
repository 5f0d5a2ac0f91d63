import { allSettings, fileSources, type Setting } from './settings.ts';
import { sourceOf } from './source.ts';

/** Environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What the environment says: raw settings in the shape of the YAML file, and the two variables that name files. */
interface EnvironmentSettings {
  raw: Record<string, unknown>;
  configFile: string | null;
  apiKeyFile: string | null;
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
  };
}

/** Other programs' variables count only with a value that we can use; ours is refused with a message. */
function readVariable(variable: NonNullable<Setting['env']>, env: Environment): string | undefined {
  const { name, others = [], acceptsOther = () => true } = variable;
  const own = env[name]?.trim();
  return own || others.map((other) => env[other]?.trim()).find((text) => text && acceptsOther(text));
}

/** The variable behind a setting's path, for messages; null when there is none. */
export function variableOf(path: readonly PropertyKey[]): string | null {
  const found = allSettings.find(({ path: own }) => own.every((part, index) => part === path[index]));
  return found?.setting.env?.name ?? null;
}
