import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** Our changes to llama.cpp's kernels; `git apply` takes them in the order of their names. */
export const patchFolder = import.meta.dirname;

/** Beside the kernels of the library: which of them are ours, and of which patches. */
const recordName = 'hearth-kernels.json';
/** Beside them too: those that the library came with. Its loader does not look into folders. */
export const stockFolder = 'stock';

/** Names of our kernels, each with the digest of the patches that it was built of. */
type KernelRecord = Record<string, string>;

/** The patches' paths, in order. */
export function patchFiles(): string[] {
  const names = readdirSync(patchFolder).filter((name) => name.endsWith('.patch'));
  return names.toSorted().map((name) => join(patchFolder, name));
}

/** One digest of all patches: kernels that carry another one were built of other patches. */
function patchDigest(): string {
  const hash = createHash('sha256');
  for (const file of patchFiles()) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/**
 * The folders below `root` from which the library loads its CPU kernels: the package for this kind of processor and those
 * for its GPUs, as far as they are installed. Empty where the library brings no kernels to choose from.
 */
export function kernelFolders(root: string, architecture: string = process.arch): string[] {
  const packages = join(root, 'node_modules', '@node-llama-cpp');
  if (!existsSync(packages)) return [];
  const isOurs = (name: string) => name === `linux-${architecture}` || name.startsWith(`linux-${architecture}-`);
  return readdirSync(packages)
    .filter(isOurs)
    .map((name) => join(packages, name, 'bins'))
    .filter((bins) => existsSync(bins))
    .flatMap((bins) => readdirSync(bins).map((name) => join(bins, name)))
    .filter((folder) => kernelFiles(folder).length > 0);
}

/** Names of the kernels in a folder, such as `libggml-cpu-haswell.so`: one for each generation of processors. */
export function kernelFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^libggml-cpu-.+\.so$/.test(name));
}

/**
 * Puts built kernels (name to path) in the place of those with the same name. A model that is loaded keeps the file it has
 * mapped, because each file is replaced as a whole.
 */
export function install(folder: string, built: ReadonlyMap<string, string>): void {
  const stock = join(folder, stockFolder);
  mkdirSync(stock, { recursive: true });
  const names = [...built.keys()].filter((name) => existsSync(join(folder, name)));
  const record = readRecord(folder);
  for (const name of names) {
    // What is there may be an older one of ours.
    if (!(name in record)) replaceFile(join(folder, name), join(stock, name));
    record[name] = patchDigest();
    // Before the file itself: what the record names can be put back, also after a kill in between.
    writeFileSync(join(folder, recordName), JSON.stringify(record));
    replaceFile(built.get(name)!, join(folder, name));
  }
}

/** Puts the kernels back that the library came with; the names of those that were ours. */
export function restore(folder: string): string[] {
  const files = Object.keys(readRecord(folder));
  for (const name of files) replaceFile(join(folder, stockFolder, name), join(folder, name));
  rmSync(join(folder, recordName), { force: true });
  rmSync(join(folder, stockFolder), { recursive: true, force: true });
  return files;
}

/** Whether a folder's kernels are the library's, ours, or ours of patches that have changed since. */
export function stateOf(folder: string, name: string): 'stock' | 'patched' | 'outdated' {
  const digest = readRecord(folder)[name];
  if (digest === undefined) return 'stock';
  return digest === patchDigest() ? 'patched' : 'outdated';
}

/** Names of the kernels below `root` that are ours, of whatever patches. */
export function patchedKernels(root: string): string[] {
  return [...new Set(kernelFolders(root).flatMap((folder) => Object.keys(readRecord(folder))))];
}

function readRecord(folder: string): KernelRecord {
  const file = join(folder, recordName);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as KernelRecord) : {};
}

/** Copies, so that the target is the old or the new file at any time and never a half. */
function replaceFile(from: string, to: string): void {
  const part = `${to}.part`;
  copyFileSync(from, part);
  renameSync(part, to);
}
