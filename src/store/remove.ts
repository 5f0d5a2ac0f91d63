import { lstat, realpath, rm } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { AppError } from '../core/errors.ts';
import type { RemovedModel } from '../core/pull.ts';
import { syncFolder } from '../files/files.ts';
import type { Catalog, CatalogModel, CatalogVariant, ResolvedName } from './catalog/catalog.ts';
import { storageError } from './disk/disk.ts';

export interface RemoveDeps {
  catalog: Pick<Catalog, 'refresh' | 'resolve'>;
  /** Absolute path of the model folder. */
  folder: string;
  /** The model that came with Hearth, absolute. */
  builtinFile: string | null;
  /** Names that the configuration uses: the default model, targets of aliases. */
  configuredNames: readonly string[];
  /** Names that clients made for models, with what each leads to. */
  madeNames?: () => readonly { name: string; from: string }[];
  /** Ends the processes of these variants and waits for their exits; `ids` as in the catalogue. */
  unload: (ids: readonly string[]) => Promise<void>;
}

/**
 * Unloads a model and deletes its files: all variants, or the one that the name chooses. Invalid files can be deleted
 * too. Rejects with `model_not_found`, `model_protected` for the built-in model and what the configuration names, and
 * `storage_unavailable`.
 */
export async function removeModel(deps: RemoveDeps, name: string): Promise<RemovedModel[]> {
  await deps.catalog.refresh();
  const { model, variant } = deps.catalog.resolve(name);
  const doomed = variant ? [variant] : model.variants;
  assertUnprotected(deps, model, doomed);
  const files = await Promise.all(doomed.map(({ files, filePath }) => filesInFolder(deps.folder, files, filePath)));
  const ids = doomed.map(({ id }) => id);
  await deps.unload(ids);
  const freed = await Promise.all(files.map(freedBytesOf));
  try {
    for (const path of files.flat()) await rm(path, { force: true });
    for (const folder of new Set(files.flat().map((path) => dirname(path)))) await syncFolder(folder);
  } catch (error) {
    throw storageError(error);
  } finally {
    await deps.catalog.refresh();
  }
  // A request that came between the two loads the model once more; now it finds none.
  await deps.unload(ids);
  return doomed.map(({ quantization, files: names, sizeBytes }, index) => ({
    model: `${model.name}:${quantization}`,
    files: names,
    sizeBytes,
    freedBytes: freed[index]!,
  }));
}

/** What the disk gets back: nothing of a link, and nothing of a file that has another name. */
async function freedBytesOf(paths: readonly string[]): Promise<number> {
  let freedBytes = 0;
  for (const path of paths) {
    const stats = await lstat(path).catch(() => null);
    if (stats?.isFile() && stats.nlink === 1) freedBytes += stats.size;
  }
  return freedBytes;
}

function assertUnprotected(deps: RemoveDeps, model: CatalogModel, doomed: readonly CatalogVariant[]): void {
  const refuse = (message: string, fix: string) =>
    new AppError('model_protected', message, { field: 'model', fix, details: { model: model.name } });
  // No path leads to it, so nothing would be deleted.
  if (doomed.some(({ invalidCode }) => invalidCode === 'bad_file_name')) {
    throw refuse(`The file of ${model.name} has a name that is not UTF-8.`, 'Rename or delete it where it lies.');
  }
  if (doomed.some(({ filePath }) => filePath === deps.builtinFile)) {
    throw refuse(`${model.name} came with Hearth and is not deleted.`, 'Choose another model as default instead.');
  }
  const dependents = (deps.madeNames?.() ?? []).filter(({ from }) => isUsed(deps, from, model, doomed));
  if (dependents.length > 0) {
    const names = dependents.map(({ name }) => name).join(', ');
    throw refuse(`${model.name} is what ${names} was made of, so it is not deleted.`, `Delete ${names} first.`);
  }
  for (const name of deps.configuredNames) {
    if (isUsed(deps, name, model, doomed)) {
      throw refuse(
        `The configuration names ${model.name}, so it is not deleted.`,
        'Take it out of models.default, models.aliases and models.pinned first.',
      );
    }
  }
}

/** Whether a name leads to what is about to be deleted, and to nothing else. */
function isUsed(deps: RemoveDeps, name: string, model: CatalogModel, doomed: readonly CatalogVariant[]): boolean {
  const used = attempt(() => deps.catalog.resolve(name));
  if (used?.model !== model) return false;
  return used.variant === null ? doomed.length === model.variants.length : doomed.includes(used.variant);
}

function attempt(resolve: () => ResolvedName): ResolvedName | null {
  try {
    return resolve();
  } catch {
    // A name of the configuration that leads to no model protects none.
    return null;
  }
}

/**
 * The absolute paths of a variant's files. The folders that they lie in are followed, the files themselves are not: of
 * a link the link is deleted. Throws `model_protected` for what lies outside the model folder.
 */
async function filesInFolder(folder: string, files: readonly string[], filePath: string): Promise<string[]> {
  const root = await realpath(folder);
  const paths = files.map((file) => join(folder, ...file.split('/')));
  if (paths[0] !== filePath) paths[0] = filePath;
  for (const path of paths) {
    const parent = await realpath(dirname(path)).catch(() => null);
    if (parent === root || parent?.startsWith(root.endsWith(sep) ? root : root + sep)) continue;
    throw new AppError('model_protected', `${basename(path)} does not lie in the model folder.`, {
      fix: 'Delete it where it lies.',
    });
  }
  return paths;
}
