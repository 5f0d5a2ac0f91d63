import { readFileSync } from 'node:fs';

/** Text of a file; null where there is none. */
export function readFileOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Which files of /proc there are differs from machine to machine.
    return null;
  }
}
