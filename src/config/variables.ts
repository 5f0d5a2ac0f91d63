import { isAbsolute, resolve } from 'node:path';
import type { Environment } from './env.ts';

/** A variable that a file names and that is not set. */
export interface MissingVariable {
  path: readonly (string | number)[];
  name: string;
}

/**
 * Puts the environment's values in the places of `${NAME}` and `${NAME:-otherwise}` in all texts of a section, and makes
 * the paths under names that end with `_file` absolute. `$${` is `${` itself. Of a provider that is off no variable need be
 * set; what names one is left out of it.
 */
export function fillIn(
  section: unknown,
  options: { env: Environment; base: string; path: readonly (string | number)[]; missing: MissingVariable[] },
): unknown {
  const { env, base, path, missing } = options;
  if (typeof section === 'string') return fillText(section, env, (name) => missing.push({ path, name }));
  if (Array.isArray(section)) {
    return section.map((item, index) => fillIn(item, { ...options, path: [...path, index] }));
  }
  if (typeof section !== 'object' || section === null) return section;
  const isOff = 'enabled' in section && (section.enabled === false || section.enabled === 'false');
  const entries = Object.entries(section).flatMap(([key, value]) => {
    const missed: MissingVariable[] = [];
    const filled = fillIn(value, { ...options, path: [...path, key], missing: missed });
    if (missed.length > 0 && isOff) return [];
    missing.push(...missed);
    const isFile = key.endsWith('_file') && typeof filled === 'string' && filled !== '' && !isAbsolute(filled);
    return [[key, isFile ? resolve(base, filled) : filled] as const];
  });
  return Object.fromEntries(entries);
}

function fillText(text: string, env: Environment, miss: (name: string) => void): string {
  return text.replace(/\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g, (_whole, escaped, name, otherwise) => {
    if (escaped) return escaped;
    const value = env[name];
    // An empty variable counts as not set, as compose files write `${X:-}` for that.
    if (value) return value;
    if (otherwise === undefined) miss(name);
    return otherwise ?? '';
  });
}
