import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './server.ts';

/** Makes `root` look like this repository after npm ci: its libraries may be changed, and its worker runs with them. */
export function copyInstallation(root: string): void {
  const from = join(repositoryRoot, 'node_modules');
  mkdirSync(join(root, 'node_modules/@node-llama-cpp'), { recursive: true });
  for (const name of ['package.json', 'src']) cpSync(join(repositoryRoot, name), join(root, name), { recursive: true });
  const own = ['@node-llama-cpp', 'node-llama-cpp', '.bin', '.package-lock.json'];
  for (const name of readdirSync(from).filter((entry) => !own.includes(entry))) {
    symlinkSync(join(from, name), join(root, 'node_modules', name));
  }
  cpSync(join(from, 'node-llama-cpp'), join(root, 'node_modules/node-llama-cpp'), { recursive: true });
  const library = `@node-llama-cpp/linux-${process.arch}`;
  cpSync(join(from, library), join(root, 'node_modules', library), { recursive: true });
}
