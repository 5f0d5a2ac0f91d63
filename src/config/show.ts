import { nameThatCounts, readEnvironment, valueAt } from './env.ts';
import { configJsonSchema } from './json-schema.ts';
import { type ConfigSources, configFileOf, loadConfig } from './load.ts';
import { redact } from './redact.ts';
import { allSettings, type Setting } from './settings.ts';
import { readYamlFile } from './yaml-file.ts';

/** A setting as it was written, and where. */
export interface ShownSetting {
  /** By its name in the file: `server.port`. */
  name: string;
  /** Without secrets; null: nothing sets it, and it has no default. */
  value: unknown;
  /** A flag, a variable, `file:line:column`, or `default`. */
  origin: string;
}

/** Every setting with the source that decides it, in the order of the documents. Throws `ConfigError` as `loadConfig` does. */
export function showConfig(sources: ConfigSources): ShownSetting[] {
  loadConfig(sources);
  const filePath = configFileOf(sources);
  const file = filePath === null ? null : readYamlFile(filePath);
  const environment = readEnvironment(sources.env);
  const schema = configJsonSchema();
  return allSettings.map(({ path, setting }) => {
    const [name, key] = path;
    const own = schema.properties?.[name];
    const schemaOfValue = key === undefined ? own : own?.properties?.[key];
    const shown = (value: unknown, origin: string): ShownSetting => ({
      name: path.join('.'),
      value: value === null ? null : redact(truthOf(value, setting), schemaOfValue),
      origin,
    });
    const flag = setting.flag && sources.flags[setting.flag.name];
    if (flag !== undefined) return shown(flag, `--${setting.flag!.name}`);
    const variable = valueAt(environment.raw, path);
    if (variable !== undefined) return shown(variable, nameThatCounts(setting.env!, sources.env)!);
    if (environment.apiKeyFile !== null && path.join('.') === 'server.api_key') {
      return shown(environment.apiKeyFile, 'HEARTH_API_KEY_FILE');
    }
    const inFile = environment.files.find((one) => one.path.join('.') === path.join('.'));
    if (inFile !== undefined) return shown(inFile.filePath, inFile.variable);
    const written = file && valueAt(file.raw, path);
    if (written !== undefined && written !== null) return shown(written, file!.where(path));
    return shown(setting.default, 'default');
  });
}

/** A truth value in one word, however it was written (`1`, `yes`); anything else as it is. */
function truthOf(value: unknown, { schema }: Pick<Setting, 'schema'>): unknown {
  const parsed = schema.safeParse(value);
  return typeof parsed.data === 'boolean' ? parsed.data : value;
}
