import { existsSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { type ConfigFindings, checkFile, checkText } from './check.ts';
import { ConfigError } from './config-error.ts';
import { type ConfigChanges, changesBetween, mergedLive } from './differences.ts';
import type { Config } from './schema.ts';
import type { ShownSetting } from './show.ts';
import { fingerprint } from './watch.ts';

/** How the last attempt to read the configuration went. */
export interface ConfigState {
  /** Absolute path of the file; null: none was named. */
  filePath: string | null;
  loadedAt: Date;
  /** What is wrong with the file as it is now, with line and path, while the last good one is in force; null: nothing. */
  error: string | null;
}

/** The configuration in force. Whoever needs it for longer than a moment asks again. */
export interface ConfigStore {
  current(): Config;
  state(): ConfigState;
  /** What `fingerprint` said of the file when it was last read to be put into force, also where it could not; null: there is none. */
  lastRead(): string | null;
  /** Every setting as it was when the configuration was last put into force, with where it came from. Empty: nobody can say. */
  settings(): readonly ShownSetting[];
  /**
   * Reads all sources again and puts what may change in a running server into force, whole or not at all. Throws
   * `ConfigError` and leaves the old one in force. `validateOnly`: tells only what it would change.
   */
  reload(options?: { validateOnly?: boolean }): ConfigChanges;
  /**
   * Says what would be wrong with another configuration; nothing changes. `file`: a name in the folder of the file in
   * force. Throws `invalid_request` for a name that leads out of it, or to nothing.
   */
  check(what: { file: string } | { text: string }): ConfigFindings;
  /**
   * Calls `listener` after each change, with the new and the old one. A listener that throws keeps the new one out of force:
   * those before it are called again, with the two the other way round.
   */
  onChange(listener: (config: Config, before: Config) => void): void;
}

/**
 * `load` reads all sources; with another file in place of the configured one where a path is given. `show` says what stands in
 * them, without secrets.
 */
export function createConfigStore(deps: {
  initial: Config;
  load: (filePath?: string) => Config;
  show?: () => readonly ShownSetting[];
  filePath: string | null;
  clock: Pick<Clock, 'now'>;
}): ConfigStore {
  const { load, show = () => [], filePath, clock } = deps;
  const listeners: ((config: Config, before: Config) => void)[] = [];
  let current = deps.initial;
  let loadedAt = clock.now();
  let settings = show();
  let error: string | null = null;
  const printOf = () => (filePath === null ? null : fingerprint(filePath));
  let lastRead = printOf();

  const read = (): Config => {
    try {
      const config = load();
      error = null;
      return config;
    } catch (thrown) {
      error = thrown instanceof ConfigError ? thrown.message : 'the configuration could not be read';
      throw thrown;
    }
  };
  return {
    current: () => current,
    state: () => ({ filePath, loadedAt, error: error ?? (lastRead === null ? null : missing(filePath)) }),
    settings: () => settings,
    lastRead: () => lastRead,
    reload({ validateOnly = false } = {}) {
      // Before it is read: what is written meanwhile is another one.
      if (!validateOnly) lastRead = printOf();
      const next = read();
      const changes = changesBetween(current, next);
      if (validateOnly) return changes;
      const before = current;
      const wanted = mergedLive(before, next);
      current = wanted;
      const done: typeof listeners = [];
      try {
        for (const listener of listeners) {
          listener(wanted, before);
          done.push(listener);
        }
      } catch (thrown) {
        current = before;
        for (const listener of done.reverse()) listener(before, wanted);
        const problem = unusable(thrown);
        error = problem.message;
        throw problem;
      }
      loadedAt = clock.now();
      settings = show();
      return changes;
    },
    check: (what) =>
      'text' in what ? checkText(what.text) : checkFile(what.file, { inForce: filePath, load: (path) => load(path) }),
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

/** A file that is gone is no change, as editors replace it; where it stays away the next start would fail. */
function missing(filePath: string | null): string | null {
  return filePath === null || existsSync(filePath) ? null : `${filePath}: cannot be read (ENOENT)`;
}

/** Whatever somebody throws who cannot work with a new configuration is a problem of that configuration. */
function unusable(thrown: unknown): ConfigError {
  if (thrown instanceof ConfigError) return thrown;
  const why = thrown instanceof AppError ? thrown.message : 'the log has the cause.';
  return new ConfigError(`the configuration cannot be put into force: ${why}`, { cause: thrown });
}
