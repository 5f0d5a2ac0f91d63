import { resolve } from 'node:path';
import { z } from 'zod';
import { allSettings, type Section, type SettingPath, sections } from './settings.ts';

const { server, models, engine, files, jobs, topLevel, storage, log, cloud } = sections;

/** The parsed values of a section; null where a setting has no default and no source sets it. */
type ValuesOf<S extends Section> = {
  -readonly [K in keyof S]: z.output<S[K]['schema']> | (S[K]['default'] extends null ? null : never);
};

/**
 * What one source may set, in the words of the YAML file. The same schema reads all of them, so it takes numbers, truth
 * values and lists as text too. Nothing is required.
 */
export const settingsSchema = z
  .strictObject({
    server: z.strictObject(schemasOf(server)).partial(),
    models: z.strictObject(schemasOf(models)).partial(),
    engine: z.strictObject(schemasOf(engine)).partial(),
    files: z.strictObject(schemasOf(files)).partial(),
    jobs: z.strictObject(schemasOf(jobs)).partial(),
    ...schemasOf(topLevel),
    storage: z.strictObject(schemasOf(storage)).partial(),
    log: z.strictObject(schemasOf(log)).partial(),
    ...schemasOf(cloud),
  })
  .partial();

/** Values of one source, parsed; folders as they were written. */
export type Settings = z.output<typeof settingsSchema>;

/** The defaults, as one more source; settings without one are left out. */
export const defaultSource: Readonly<Record<string, unknown>> = sourceOf(
  allSettings.flatMap(({ path, setting }) => (setting.default === null ? [] : [{ path, value: setting.default }])),
);

/** Values by their place, in the shape of the YAML file. */
export function sourceOf(values: readonly { path: SettingPath; value: unknown }[]): Record<string, unknown> {
  const begun = new Map<string, Record<string, unknown>>();
  const source: Record<string, unknown> = {};
  for (const { path, value: given } of values) {
    const [name, key] = path;
    if (key === undefined) {
      source[name] = given;
      continue;
    }
    const section = begun.get(name) ?? {};
    section[key] = given;
    begun.set(name, section);
    source[name] = section;
  }
  return source;
}

/** What one source sets, and the folder that its relative paths count from. */
export interface Source {
  settings: Settings;
  base: string;
}

/** Lays sources over each other; later ones win, setting by setting. Every setting is there, null where none sets it. */
export function mergeSettings(sources: readonly Source[]) {
  return {
    server: merged(server, sources, (settings) => settings.server),
    models: merged(models, sources, (settings) => settings.models),
    engine: merged(engine, sources, (settings) => settings.engine),
    files: merged(files, sources, (settings) => settings.files),
    jobs: merged(jobs, sources, (settings) => settings.jobs),
    storage: merged(storage, sources, (settings) => settings.storage),
    log: merged(log, sources, (settings) => settings.log),
    ...merged(topLevel, sources, (settings) => settings),
    cloud: merged(cloud, sources, (settings) => settings),
  };
}

/** Values of all sources together, by the names of the file. */
export type MergedSettings = ReturnType<typeof mergeSettings>;

// TypeScript does not follow keys through `Object.entries`: the two casts below say what `map` keeps.

function schemasOf<S extends Section>(section: S): { [K in keyof S]: S[K]['schema'] } {
  return Object.fromEntries(Object.entries(section).map(([key, { schema }]) => [key, schema])) as {
    [K in keyof S]: S[K]['schema'];
  };
}

function merged<S extends Section>(
  section: S,
  sources: readonly Source[],
  partOf: (settings: Settings) => object | undefined,
): ValuesOf<S> {
  const values = new Map<string, unknown>();
  for (const { settings, base } of sources) {
    for (const [key, given] of Object.entries(partOf(settings) ?? {})) {
      values.set(key, section[key]?.isPath ? absolute(given, base) : given);
    }
  }
  return Object.fromEntries(Object.keys(section).map((key) => [key, values.get(key) ?? null])) as ValuesOf<S>;
}

/** One path, or a list of them. */
function absolute(paths: unknown, base: string): unknown {
  return Array.isArray(paths) ? paths.map((path) => absolute(path, base)) : resolve(base, String(paths));
}
