import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/observe/logger.ts';
import { createCatalog } from '../../src/store/catalog/catalog.ts';
import { type ImportDeps, importFile } from '../../src/store/import-file.ts';
import { type RemoveDeps, removeModel } from '../../src/store/remove.ts';
import { modelBytes, splitModel } from '../support/model-bytes.ts';

let root: string;
let folder: string;
let incoming: string;
let refreshed: number;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'hearth-files-'));
  folder = join(root, 'models');
  incoming = join(root, 'incoming');
  await mkdir(folder);
  await mkdir(incoming);
  refreshed = 0;
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('an import', () => {
  const deps = (changes: Partial<ImportDeps> = {}): ImportDeps => ({
    folder,
    importFolders: [incoming],
    reserveBytes: 0,
    published: async () => {
      refreshed++;
      return null;
    },
    ...changes,
  });
  const put = async (name: string, bytes: Buffer, where = incoming) => {
    const path = join(where, name);
    await writeFile(path, bytes);
    return path;
  };
  const otherDevice = async () => {
    throw Object.assign(new Error('cross-device'), { code: 'EXDEV' });
  };

  it('links the file, so that it takes no room twice', async () => {
    const path = await put('Tiny-Q8_0.gguf', modelBytes(10_000));
    const stored = await importFile(deps(), path, { anyFolder: false });
    expect(stored).toEqual({ model: 'Tiny:q8_0', files: ['Tiny-Q8_0.gguf'], sizeBytes: (await stat(path)).size });
    expect((await stat(join(folder, 'Tiny-Q8_0.gguf'))).ino).toBe((await stat(path)).ino);
    expect(refreshed).toBe(1);
    expect(await importFile(deps(), path, { anyFolder: false })).toEqual(stored);
  });

  it('copies from another device, under its name only when it is whole', async () => {
    const bytes = modelBytes(10_000);
    const path = await put('Tiny-Q8_0.gguf', bytes);
    await importFile(deps({ makeLink: otherDevice }), path, { anyFolder: false });
    expect((await readFile(join(folder, 'Tiny-Q8_0.gguf'))).equals(bytes)).toBe(true);
    expect(await readdir(folder)).toEqual(['Tiny-Q8_0.gguf']);
  });

  it('does not copy what would fill the disk', async () => {
    const path = await put('Tiny-Q8_0.gguf', modelBytes(10_000));
    const full = deps({ makeLink: otherDevice, readFreeBytes: async () => 10_000 });
    await expect(importFile(full, path, { anyFolder: false })).rejects.toMatchObject({ code: 'storage_unavailable' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('of one part of a split model takes all, and nothing when one is missing', async () => {
    const parts = splitModel('Big-Q4_0', 3, 5_000);
    for (const { path, bytes } of parts) await put(path, bytes);
    const stored = await importFile(deps(), join(incoming, parts[1]!.path), { anyFolder: false });
    expect(stored.files).toEqual(parts.map(({ path }) => path));
    await rm(join(incoming, parts[2]!.path));
    await rm(folder, { recursive: true });
    await expect(importFile(deps(), join(incoming, parts[0]!.path), { anyFolder: false })).rejects.toMatchObject({
      code: 'invalid_model_file',
    });
    await expect(readdir(folder)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('checks the header first', async () => {
    const path = await put('Tiny-Q8_0.gguf', Buffer.from('no model at all'));
    await expect(importFile(deps(), path, { anyFolder: true })).rejects.toMatchObject({ code: 'invalid_model_file' });
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a name that another file has', async () => {
    const path = await put('Tiny-Q8_0.gguf', modelBytes(10_000));
    await put('Tiny-Q8_0.gguf', modelBytes(20_000, 2), folder);
    await expect(importFile(deps(), path, { anyFolder: true })).rejects.toMatchObject({
      code: 'invalid_request',
      field: 'path',
    });
    expect((await stat(join(folder, 'Tiny-Q8_0.gguf'))).size).toBeGreaterThan(20_000);
  });

  it('for a client is held to the allowed folders, and says the same of files that are and are not there', async () => {
    const outside = await put('Tiny-Q8_0.gguf', modelBytes(10_000), root);
    await symlink(outside, join(incoming, 'Link-Q8_0.gguf'));
    const failure = (path: string) =>
      importFile(deps(), path, { anyFolder: false }).then(
        () => 'it succeeded',
        ({ code, message, details }) => ({ code, message, details }),
      );
    const refusals = await Promise.all(
      [
        outside,
        join(root, 'Missing.gguf'),
        '/etc/passwd',
        join(incoming, '../Tiny-Q8_0.gguf'),
        join(incoming, 'Link-Q8_0.gguf'),
      ].map(failure),
    );
    expect(refusals[0]).toMatchObject({ code: 'forbidden' });
    expect(new Set(refusals.map((refusal) => JSON.stringify(refusal))).size).toBe(1);
    expect(await readdir(folder)).toEqual([]);
    expect(await importFile(deps(), outside, { anyFolder: true })).toMatchObject({ model: 'Tiny:q8_0' });
  });
});

describe('a removal', () => {
  const log = createLogger('silent');
  let unloaded: string[][];

  async function deps(changes: Partial<RemoveDeps> = {}, aliases: Record<string, string> = {}): Promise<RemoveDeps> {
    unloaded = [];
    const catalog = createCatalog({
      folders: [folder],
      builtinFile: changes.builtinFile ?? null,
      aliases,
      defaultModel: null,
      log,
    });
    return {
      catalog,
      folder,
      builtinFile: null,
      configuredNames: [],
      unload: async (ids) => void unloaded.push([...ids]),
      ...changes,
    };
  }
  const put = (path: string, bytes = modelBytes(5_000)) => writeFile(join(folder, path), bytes);

  it('unloads the model, deletes its files and takes it out of the catalogue', async () => {
    await put('Tiny-Q4_0.gguf');
    await put('Tiny-Q8_0.gguf');
    await put('Other-Q8_0.gguf');
    const all = await deps();
    const removed = await removeModel(all, 'tiny');
    expect(removed.map(({ model }) => model)).toEqual(['Tiny:q4_0', 'Tiny:q8_0']);
    expect(unloaded[0]).toEqual(['Tiny:q4_0', 'Tiny:q8_0']);
    expect(await readdir(folder)).toEqual(['Other-Q8_0.gguf']);
    expect(() => all.catalog.resolve('tiny')).toThrow('There is no model tiny.');
  });

  it('of one variant leaves the others', async () => {
    await put('Tiny-Q4_0.gguf');
    await put('Tiny-Q8_0.gguf');
    await removeModel(await deps(), 'tiny:q4_0');
    expect(unloaded[0]).toEqual(['Tiny:q4_0']);
    expect(await readdir(folder)).toEqual(['Tiny-Q8_0.gguf']);
  });

  it('takes all parts of a split model, and files that are no model', async () => {
    for (const { path, bytes } of splitModel('Big-Q4_0', 2, 5_000)) await put(path, bytes);
    await put('Broken-Q4_0.gguf', Buffer.from('rubbish'));
    await removeModel(await deps(), 'big');
    await removeModel(await deps(), 'broken');
    expect(await readdir(folder)).toEqual([]);
  });

  it('of a linked file leaves the other name of it', async () => {
    await put('Tiny-Q4_0.gguf');
    await link(join(folder, 'Tiny-Q4_0.gguf'), join(root, 'kept.gguf'));
    await put('Other-Q4_0.gguf');
    const [linked] = await removeModel(await deps(), 'tiny');
    const [other] = await removeModel(await deps(), 'other');
    expect([linked?.freedBytes, other?.freedBytes]).toEqual([0, other?.sizeBytes]);
    expect((await stat(join(root, 'kept.gguf'))).isFile()).toBe(true);
  });

  it('refuses the built-in model, also where it lies in the model folder', async () => {
    await put('Builtin-Q8_0.gguf');
    const builtinFile = join(folder, 'Builtin-Q8_0.gguf');
    await expect(removeModel(await deps({ builtinFile }), 'builtin')).rejects.toMatchObject({
      code: 'model_protected',
    });
    expect(await readdir(folder)).toEqual(['Builtin-Q8_0.gguf']);
  });

  it('refuses what the configuration names, but not another variant of it', async () => {
    await put('Tiny-Q4_0.gguf');
    await put('Tiny-Q8_0.gguf');
    const configured = { configuredNames: ['tiny:q8_0', 'missing'] };
    await expect(removeModel(await deps(configured), 'tiny')).rejects.toMatchObject({ code: 'model_protected' });
    await expect(removeModel(await deps(configured), 'tiny:q8_0')).rejects.toMatchObject({ code: 'model_protected' });
    expect(unloaded).toEqual([]);
    await removeModel(await deps(configured), 'tiny:q4_0');
    expect(await readdir(folder)).toEqual(['Tiny-Q8_0.gguf']);
    await expect(removeModel(await deps({ configuredNames: ['tiny'] }), 'tiny:q8_0')).rejects.toMatchObject({
      code: 'model_protected',
    });
  });

  it('of a model that is not there is not found', async () => {
    await expect(removeModel(await deps(), 'nothing')).rejects.toMatchObject({ code: 'model_not_found' });
    await expect(removeModel(await deps(), '../nothing')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
