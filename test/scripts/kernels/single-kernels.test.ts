import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { install, kernelFolders } from '../../../scripts/kernels/folders.ts';
import { installedKernels, rootWithKernels } from '../../../scripts/kernels/single-kernels.ts';

const binaries = `node_modules/@node-llama-cpp/linux-${process.arch}/bins/linux-${process.arch}`;
const [sse42, haswell] = ['libggml-cpu-sse42.so', 'libggml-cpu-haswell.so'];
let root: string;
const made: string[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-single-'));
  made.push(root);
  write('package.json', '{}');
  write('node_modules/node-llama-cpp/index.js', '');
  write('node_modules/yaml/index.js', '');
  for (const name of [sse42, haswell, 'libggml-base.so']) write(join(binaries, name), `stock ${name}`);
});
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

function write(path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}
function single(...args: [string, string?]): string {
  const folder = rootWithKernels(root, ...args);
  made.push(folder);
  return folder;
}

describe('a root with kernels of one name', () => {
  it('has no others, and leaves the installation as it was', () => {
    const copy = single('sse42');
    expect(readdirSync(join(copy, binaries)).toSorted()).toEqual(['libggml-base.so', sse42]);
    expect(readdirSync(join(copy, 'node_modules')).toSorted()).toEqual(['@node-llama-cpp', 'node-llama-cpp', 'yaml']);
    expect(readdirSync(join(root, binaries))).toHaveLength(3);
  });

  it('has those of a file in their place', () => {
    const copy = single('sse42', write('elsewhere', 'ours'));
    expect(readFileSync(join(copy, binaries, sse42), 'utf8')).toBe('ours');
    expect(readFileSync(join(root, binaries, sse42), 'utf8')).toBe(`stock ${sse42}`);
  });
});

describe('installed kernels', () => {
  it("are the library's until ours are built, and both are there then", () => {
    const inUse = join(root, binaries, haswell);
    expect(installedKernels(root, 'haswell')).toEqual({ library: inUse, here: null });
    const [folder] = kernelFolders(root);
    install(folder!, new Map([[haswell, write('built', 'ours')]]));
    const both = installedKernels(root, 'haswell');
    expect(readFileSync(both.library!, 'utf8')).toBe(`stock ${haswell}`);
    expect(readFileSync(both.here!, 'utf8')).toBe('ours');
    expect(installedKernels(root, 'zen4')).toEqual({ library: null, here: null });
  });
});
