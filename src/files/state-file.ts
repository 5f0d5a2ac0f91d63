import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { replaceFileSync } from './files.ts';

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
      try {
        mkdirSync(dirname(path), { recursive: true });
        // Two servers may share the folder.
        replaceFileSync(path, `${JSON.stringify(value)}\n`, `${path}.${process.pid}.tmp`);
      } catch (error) {
        deps.warn(error, 'write');
      }
    },
  };
}
