import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelFiles, kernelFolders, stockFolder } from './folders.ts';

/** File of kernels by their name, as the library calls it. */
export const kernelFileName = (name: string) => `libggml-cpu-${name}.so`;

/**
 * Makes a root as `root` is after npm ci, whose library has no kernels but those called `name`: it takes the best that is
 * there. `file`: what to take for them; left out, those installed below `root`. Returns its path; whoever calls removes it.
 */
export function rootWithKernels(root: string, name: string, file?: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-kernels-'));
  const [from, to] = [join(root, 'node_modules'), join(folder, 'node_modules')];
  mkdirSync(to);
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  for (const entry of readdirSync(from)) {
    // The library looks for its binaries from where it lies itself, so that a link would lead back.
    if (entry === 'node-llama-cpp') cpSync(join(from, entry), join(to, entry), { recursive: true });
    else if (entry !== '@node-llama-cpp') symlinkSync(join(from, entry), join(to, entry));
  }
  const binaries = `@node-llama-cpp/linux-${process.arch}`;
  cpSync(join(from, binaries), join(to, binaries), { recursive: true });
  for (const bins of kernelFolders(folder)) {
    const kept = kernelFileName(name);
    for (const other of kernelFiles(bins)) if (other !== kept) rmSync(join(bins, other));
    if (file !== undefined) copyFileSync(file, join(bins, kept));
  }
  return folder;
}

/** Where the kernels called `name` lie below `root`: the library's own, and ours if they are built; null: there are none. */
export function installedKernels(root: string, name: string): { library: string | null; here: string | null } {
  const [bins] = kernelFolders(root);
  if (bins === undefined) return { library: null, here: null };
  const [inUse, kept] = [join(bins, kernelFileName(name)), join(bins, stockFolder, kernelFileName(name))];
  const there = (path: string) => (existsSync(path) ? path : null);
  return existsSync(kept) ? { library: kept, here: there(inUse) } : { library: there(inUse), here: null };
}
