import type { Config } from './schema.ts';
import { settingOf } from './setting-names.ts';

/** What a new configuration changes. */
export interface ConfigChanges {
  providersAdded: string[];
  providersRemoved: string[];
  /** Settings that take effect at once, by their names in the file; those of providers that came or went are left out. */
  settingsChanged: string[];
  /** Those that a running server cannot change. */
  needRestart: string[];
}

/** What a running server makes of a new configuration. What needs a restart stays as it was: half of a change would be worse than none. */
export function mergedLive(before: Config, after: Config): Config {
  const { bodyLimitBytes, ups } = before.jobs;
  return { ...before, cloud: after.cloud, jobs: { ...after.jobs, bodyLimitBytes, ups } };
}

/** Compares two configurations; secrets are compared and never shown. */
export function changesBetween(before: Config, after: Config): ConfigChanges {
  const live = flatten(mergedLive(before, after));
  const liveChanges = differingPaths(flatten(before), live);
  const providersAdded = [...after.cloud.providers.keys()].filter((id) => !before.cloud.providers.has(id));
  const providersRemoved = [...before.cloud.providers.keys()].filter((id) => !after.cloud.providers.has(id));
  const isOfThese = (path: string) =>
    [...providersAdded, ...providersRemoved].some((id) => path.startsWith(`cloud.providers.${id}.`));
  // That a section became empty, or is so no more, is told by what was in it.
  const namesOf = (paths: readonly string[]) =>
    [...new Set(paths.map(settingOf))].filter((name) => !name.endsWith('.')).sort();
  return {
    providersAdded,
    providersRemoved,
    settingsChanged: namesOf(liveChanges.filter((path) => !isOfThese(path))),
    needRestart: namesOf(differingPaths(live, flatten(after))),
  };
}

function differingPaths(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const paths = new Set([...before.keys(), ...after.keys()]);
  return [...paths].filter((path) => before.get(path) !== after.get(path)).sort();
}

/** Whether two pieces of a configuration say the same, secrets included. */
export function sameValues(before: object, after: object): boolean {
  return differingPaths(flatten(before), flatten(after)).length === 0;
}

/** Every value by its path. */
function flatten(config: object): Map<string, string> {
  const values = new Map<string, string>();
  const walk = (value: unknown, path: string) => {
    if (value instanceof Map) {
      for (const [key, item] of value) walk(item, `${path}.${key}`);
    } else if (typeof value === 'object' && value !== null && 'reveal' in value && typeof value.reveal === 'function') {
      values.set(path, String(value.reveal()));
    } else if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
      const entries = Object.entries(value);
      if (entries.length === 0) values.set(path, 'empty');
      for (const [key, item] of entries) walk(item, path === '' ? key : `${path}.${key}`);
    } else values.set(path, value instanceof Date ? value.toISOString() : String(value));
  };
  walk(config, '');
  return values;
}
