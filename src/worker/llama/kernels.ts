import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { CpuKernels } from '../../core/machine.ts';

/** Beside the kernels of the library: which of them were built here. `scripts/kernels/folders.ts` writes it. */
const recordName = 'hearth-kernels.json';

/**
 * The kernels that the library has loaded into this process; null: none are to choose from (macOS, 32-bit ARM), or the system
 * does not tell. Asked once it has started, which is when it chooses.
 */
export function loadedKernels(read: (path: string) => string | null = readText): CpuKernels | null {
  const [, filePath, fileName, name] = /(\/.*\/(libggml-cpu-([^/]+)\.so))$/m.exec(read('/proc/self/maps') ?? '') ?? [];
  if (filePath === undefined || fileName === undefined || name === undefined) return null;
  return { name, isBuiltHere: namesOf(read(join(dirname(filePath), recordName))).includes(fileName) };
}

function namesOf(record: string | null): string[] {
  if (record === null) return [];
  try {
    return Object.keys(JSON.parse(record) as object);
  } catch {
    // A file that was cut off says nothing.
    return [];
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Not Linux, or no kernels of ours.
    return null;
  }
}
