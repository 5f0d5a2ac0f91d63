import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Version of this Hearth, from its package.json. */
export function packageVersion(): string {
  return readPackage().version;
}

/** Version of the inference library, pinned in package.json. */
export function libraryVersion(): string {
  return readPackage().dependencies['node-llama-cpp'] ?? 'unknown';
}

/** Where the packages of that library's binaries lie, one for each kind of machine. */
export function libraryFolder(): string {
  return fileURLToPath(new URL('../../node_modules/@node-llama-cpp', import.meta.url));
}

function readPackage(): { version: string; dependencies: Record<string, string> } {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return JSON.parse(text) as ReturnType<typeof readPackage>;
}
