import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** A small JSON file of the data folder that is a help and no truth: whatever is wrong with it, work goes on without. */
export interface StateFile<T> {
  /** The content, or null when there is none that can be used. */
  read(): T | null;
  /** Replaces the content at once or not at all. */
  write(value: T): void;
}

/** `parse` throws for content that is not ours. `warn` is told what could not be read or written. */
export function createStateFile<T>(deps: {
  path: string;
  parse: (value: unknown) => T;
  warn: (error: unknown, doing: 'read' | 'write') => void;
}): StateFile<T> {
  const { path } = deps;
  return {
    read() {
      let text: string;
      try {
        text = readFileSync(path, 'utf8');
      } catch {
        // Nothing was stored yet.
        return null;
      }
      try {
        return deps.parse(JSON.parse(text));
      } catch (error) {
        deps.warn(error, 'read');
        return null;
      }
    },
    write(value) {
      const temporary = `${path}.${process.pid}.tmp`;
      try {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(temporary, `${JSON.stringify(value)}\n`, { mode: 0o600 });
        renameSync(temporary, path);
      } catch (error) {
        deps.warn(error, 'write');
        try {
          rmSync(temporary, { force: true });
        } catch {
          // The folder itself is no folder any more, which the warning says.
        }
      }
    },
  };
}
