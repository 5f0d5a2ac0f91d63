import { constants, copyFile, link, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { AppError } from '../core/errors.ts';
import type { StoredModel } from '../core/pull.ts';
import { fileSize, syncFolder } from '../files/files.ts';
import { assertSpace, makeFolder, storageError } from './disk/disk.ts';
import { ggufLimits, parseFileName, readModelFiles } from './gguf/gguf.ts';

export interface ImportDeps {
  /** Absolute path of the model folder. */
  folder: string;
  /** Absolute folders that clients may import from. */
  importFolders: readonly string[];
  reserveBytes: number;
  readFreeBytes?: (folder: string) => Promise<number>;
  /** Makes a hard link; tests replace it to be another device. */
  makeLink?: (from: string, to: string) => Promise<void>;
  /** Called when the file is there. */
  published: (filePath: string) => Promise<string | null>;
}

/**
 * Takes a GGUF file, with all its parts, into the model folder: by a hard link, by a copy from another device. The
 * header is checked first. `anyFolder`: a person at this machine asks, so the folder does not matter; clients get
 * `forbidden` outside the folders that are allowed, whether there is a file or not.
 * Rejects with `invalid_request`, `forbidden`, `invalid_model_file` or `storage_unavailable` otherwise.
 */
export async function importFile(
  deps: ImportDeps,
  filePath: string,
  options: { anyFolder: boolean },
): Promise<StoredModel> {
  const source = await findSource(deps, filePath, options);
  const parsed = parseFileName(basename(source));
  if (!parsed) throw invalidPath('it does not end with .gguf');
  const sources = partsOf(source, parsed);
  const facts = await readModelFiles(sources);
  await makeFolder(deps.folder);
  const targets = sources.map((path) => join(deps.folder, basename(path)));
  const sizeBytes = await refuseTaken(sources, targets);
  const done: string[] = [];
  try {
    for (const [index, target] of targets.entries()) {
      if (await takeIn(deps, sources[index]!, target)) done.push(target);
    }
    await syncFolder(deps.folder);
  } catch (error) {
    // Half a model is no model.
    for (const target of done) await rm(target, { force: true });
    throw storageError(error);
  }
  const name = await deps.published(targets[0]!);
  return {
    model: name ?? `${parsed.name}:${parsed.quantization ?? facts.quantization}`,
    files: targets.map((path) => basename(path)),
    sizeBytes,
  };
}

async function findSource(deps: ImportDeps, filePath: string, options: { anyFolder: boolean }): Promise<string> {
  if (filePath.includes('\0')) throw invalidPath('it is no path');
  const path = resolve(filePath);
  const isWithin = (folder: string, inner: string) => inner.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  const outside = new AppError('forbidden', 'Files may not be imported from this folder.', {
    field: 'path',
    fix: 'Use the command "import" on the machine itself, or list the folder in models.import_folders.',
  });
  if (!options.anyFolder && !deps.importFolders.some((folder) => isWithin(folder, path))) throw outside;
  const real = await realpath(path).catch(() => null);
  if (real === null) throw invalidPath('there is no such file');
  if (!options.anyFolder) {
    const folders = await Promise.all(deps.importFolders.map((folder) => realpath(folder).catch(() => null)));
    if (!folders.some((folder) => folder !== null && isWithin(folder, real))) throw outside;
  }
  return real;
}

/** Parts of a split model lie beside each other; naming one names all. */
function partsOf(source: string, { split, stem }: NonNullable<ReturnType<typeof parseFileName>>): string[] {
  if (split === null || split.count <= 1) return [source];
  if (split.count > ggufLimits.splitParts) throw invalidPath(`it has more than ${ggufLimits.splitParts} parts`);
  const suffix = /\.gguf$/i.exec(source)![0];
  const digits = (value: number) => String(value).padStart(5, '0');
  return Array.from({ length: split.count }, (_, index) =>
    join(dirname(source), `${stem}-${digits(index + 1)}-of-${digits(split.count)}${suffix}`),
  );
}

/** Total size; throws when another file has the name already. The same file under that name is none. */
async function refuseTaken(sources: readonly string[], targets: readonly string[]): Promise<number> {
  let sizeBytes = 0;
  for (const [index, source] of sources.entries()) {
    const from = await stat(source);
    sizeBytes += from.size;
    const to = await stat(targets[index]!).catch(() => null);
    if (to !== null && (to.ino !== from.ino || to.dev !== from.dev)) {
      throw invalidPath('the model folder has another file of this name');
    }
  }
  return sizeBytes;
}

/** False when the file is there already. */
async function takeIn(deps: ImportDeps, source: string, target: string): Promise<boolean> {
  if ((await fileSize(target)) !== null) return false;
  try {
    await (deps.makeLink ?? link)(source, target);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    // Another device, a file system without hard links, a file of somebody else, too many links.
    if (!['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES', 'EMLINK'].includes(String(code))) throw error;
  }
  const neededBytes = (await stat(source)).size;
  await assertSpace(deps.folder, { neededBytes, reserveBytes: deps.reserveBytes }, deps.readFreeBytes);
  const temporary = `${target}.import.part`;
  try {
    // Shares the blocks where the file system can.
    await copyFile(source, temporary, constants.COPYFILE_FICLONE);
    const handle = await open(temporary, 'r+');
    await handle.sync().finally(() => handle.close());
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
  return true;
}

function invalidPath(problem: string): AppError {
  return new AppError('invalid_request', `This file cannot be imported: ${problem}.`, { field: 'path' });
}
