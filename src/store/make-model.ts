import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import type { Preset } from '../core/preset.ts';
import type { MadeModel, MakeWish } from '../core/pull.ts';
import { fileSize, syncFolder } from '../files/files.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { Catalog } from './catalog/catalog.ts';
import { storageError } from './disk/disk.ts';
import { readGguf } from './gguf/gguf.ts';
import { type MadeModels, withoutLatest } from './made-models/made-models.ts';

export interface MakeDeps {
  made: MadeModels;
  catalog: Pick<Catalog, 'refresh' | 'resolve'>;
  blobs: Blobs;
  /** The model folder, absolute. */
  folder: string;
  /** The id of the variant that a new file has become. */
  published: (filePath: string) => Promise<string | null>;
  clock: Pick<Clock, 'now'>;
}

/** Makes a name for a model on disk, or for one that it takes into the model folder. Rejects as `ModelStore.make`. */
export async function makeModel(deps: MakeDeps, wish: MakeWish): Promise<MadeModel> {
  const { made, catalog, clock } = deps;
  const name = withoutLatest(wish.name);
  await catalog.refresh();
  const earlier = made.find(name);
  if (!earlier && isTaken(catalog, name)) {
    throw new AppError('invalid_request', `There is a model ${name} already, and its name is not given to another.`, {
      field: 'name',
      fix: 'Choose another name.',
    });
  }
  const source = wish.from.type === 'model' ? fromModel(catalog, wish.from.name) : await fromBlob(deps, wish, name);
  const model: MadeModel = {
    name,
    from: source.id,
    preset: merged(source.preset, wish.preset),
    ownsFile: wish.from.type === 'blob',
    createdAt: clock.now(),
  };
  await made.set(model);
  return model;
}

function isTaken(catalog: Pick<Catalog, 'resolve'>, name: string): boolean {
  try {
    catalog.resolve(name);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'model_not_found') return false;
    throw error;
  }
}

function fromModel(catalog: Pick<Catalog, 'resolve'>, name: string): { id: string; preset: Preset } {
  const { model, variant, preset = {} } = catalog.resolve(name);
  return { id: variant?.id ?? model.name, preset };
}

async function fromBlob(
  { blobs, folder, published }: MakeDeps,
  { from }: MakeWish,
  name: string,
): Promise<{ id: string; preset: Preset }> {
  const digest = from.type === 'blob' ? from.digest : '';
  const path = blobs.pathOf(digest);
  if (!(await blobs.has(digest))) {
    throw new AppError('invalid_request', `There is no blob ${digest}.`, { field: 'files', fix: 'Send it first.' });
  }
  await readGguf(path);
  const stem = fileStem(name);
  const plain = join(folder, `${stem}.gguf`);
  const target = (await fileSize(plain)) === null ? plain : join(folder, `${stem}-${digest.slice(7, 15)}.gguf`);
  try {
    await rename(path, target);
    await syncFolder(folder);
  } catch (error) {
    throw storageError(error);
  }
  const id = await published(target);
  if (id === null) throw new Error('a model file is not listed after it was taken in');
  return { id, preset: {} };
}

/** A name for a file that every system takes, and that no part of a split model has. */
function fileStem(name: string): string {
  const plain = name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[.-]+|[.-]+$/g, '')
    .replace(/-of-/g, '-');
  return plain.slice(0, 120) || 'model';
}

function merged(base: Preset, added: Preset): Preset {
  const sampling = { ...base.sampling, ...added.sampling };
  return { ...base, ...added, ...(Object.keys(sampling).length > 0 && { sampling }) };
}
