import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { install, kernelFolders, patchedKernels, restore, stateOf } from '../../../scripts/kernels/folders.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-kernels-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
const haswell = 'libggml-cpu-haswell.so';
const zen4 = 'libggml-cpu-zen4.so';
const packages = 'node_modules/@node-llama-cpp';
const folderOf = (name: string) => join(root, packages, name, 'bins', name);

function writePackage(name: string): string {
  for (const file of [haswell, zen4, 'libggml-base.so'])
    write(`${packages}/${name}/bins/${name}/${file}`, `stock ${file}`);
  return folderOf(name);
}
const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');

describe('folders of kernels', () => {
  it('are those of this processor and of the GPUs beside it, where they have kernels to choose from', () => {
    for (const name of ['linux-x64', 'linux-x64-vulkan', 'linux-arm64']) writePackage(name);
    write(`${packages}/linux-x64-cuda-ext/bins/linux-x64-cuda/fallback/libggml-cuda.so`, '');
    write(`${packages}/linux-armv7l/bins/linux-armv7l/libggml-cpu.so`, '');
    expect(kernelFolders(root, 'x64')).toEqual([folderOf('linux-x64'), folderOf('linux-x64-vulkan')]);
    expect(kernelFolders(root, 'arm64')).toEqual([folderOf('linux-arm64')]);
    expect(kernelFolders(root, 'arm')).toEqual([]);
    expect(kernelFolders(join(root, 'nowhere'))).toEqual([]);
  });

  it('get the built kernels in the place of their own, and those back again', () => {
    const folder = writePackage('linux-x64');
    const before = readdirSync(folder);
    install(folder, new Map([[haswell, write('built', 'ours')]]));
    expect(read(folder, haswell)).toBe('ours');
    expect(read(folder, zen4)).toBe(`stock ${zen4}`);
    expect([stateOf(folder, haswell), stateOf(folder, zen4)]).toEqual(['patched', 'stock']);

    expect(restore(folder)).toEqual([haswell]);
    expect(read(folder, haswell)).toBe(`stock ${haswell}`);
    expect(readdirSync(folder)).toEqual(before);
    expect(restore(folder)).toEqual([]);
  });

  it('keep the kernels of the library when ours are built a second time', () => {
    const folder = writePackage('linux-x64');
    install(folder, new Map([[haswell, write('first', 'ours')]]));
    install(
      folder,
      new Map([
        [haswell, write('second', 'ours, newer')],
        [zen4, write('third', 'ours too')],
      ]),
    );
    expect([read(folder, haswell), read(folder, zen4)]).toEqual(['ours, newer', 'ours too']);
    expect(restore(folder).toSorted()).toEqual([haswell, zen4]);
    expect([read(folder, haswell), read(folder, zen4)]).toEqual([`stock ${haswell}`, `stock ${zen4}`]);
  });

  it('take nothing that the library does not have', () => {
    const folder = writePackage('linux-x64');
    install(folder, new Map([['libggml-cpu-new.so', write('built', 'ours')]]));
    expect(existsSync(join(folder, 'libggml-cpu-new.so'))).toBe(false);
  });

  it('know kernels that were built of other patches', () => {
    const folder = writePackage('linux-x64');
    install(folder, new Map([[haswell, write('built', 'ours')]]));
    writeFileSync(join(folder, 'hearth-kernels.json'), JSON.stringify({ [haswell]: 'of older patches' }));
    expect(stateOf(folder, haswell)).toBe('outdated');
    // What is there is not the library's: putting it aside would lose that.
    install(folder, new Map([[haswell, write('newer', 'ours, newer')]]));
    expect(stateOf(folder, haswell)).toBe('patched');
    restore(folder);
    expect(read(folder, haswell)).toBe(`stock ${haswell}`);
  });

  it('are put back whole after an end between the record and the file', () => {
    const folder = writePackage('linux-x64');
    expect(() => install(folder, new Map([[haswell, join(root, 'never built')]]))).toThrow();
    expect(read(folder, haswell)).toBe(`stock ${haswell}`);
    expect(restore(folder)).toEqual([haswell]);
    expect(read(folder, haswell)).toBe(`stock ${haswell}`);
  });

  it('tell a bench which of its kernels are ours', () => {
    const folders = ['linux-x64', 'linux-x64-vulkan'].map(writePackage);
    expect(patchedKernels(root)).toEqual([]);
    if (process.arch !== 'x64') return;
    for (const folder of folders) install(folder, new Map([[zen4, write('built', 'ours')]]));
    expect(patchedKernels(root)).toEqual([zen4]);
  });
});
