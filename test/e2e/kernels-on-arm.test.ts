import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Compiled, type Compiler, compile, requireTools, unpackSource } from '../../scripts/kernels/compile.ts';
import { patchFiles } from '../../scripts/kernels/folders.ts';
import { kernelFileName } from '../../scripts/kernels/single-kernels.ts';
import { tryKernels } from '../../scripts/kernels/trial.ts';
import { repositoryRoot } from '../support/server.ts';

const bundle = join(repositoryRoot, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');
const compiler: Compiler = {
  label: 'GCC for ARM',
  CC: 'aarch64-linux-gnu-gcc',
  CXX: 'aarch64-linux-gnu-g++',
  processor: 'aarch64',
};

/** Kernels, and the processor that is emulated: without the dot product (Raspberry Pi 4), and with it (Pi 5, RK3588, Graviton 2). */
const cases = [
  ['armv8.0_1', 'cortex-a53'],
  ['armv8.2_2', 'cortex-a76'],
] as const;

/** Why these kernels cannot be built or run here; null when they can. */
function obstacle(): string | null {
  if (process.platform !== 'linux') return 'they are for Linux';
  if (spawnSync(compiler.CXX!, ['--version']).status !== 0) return 'no g++-aarch64-linux-gnu';
  if (spawnSync('qemu-aarch64', ['--version']).status !== 0) return 'no qemu-user';
  try {
    requireTools({ ...process.env, ...compiler });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
const skip = obstacle();

describe.skipIf(skip !== null)(`kernels for ARM${skip === null ? '' : ` (skipped: ${skip})`}`, () => {
  let folder: string;
  let built: Compiled;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-kernels-on-arm-'));
    unpackSource(bundle, patchFiles(), join(folder, 'source'));
    const names = cases.map(([name]) => kernelFileName(name));
    built = compile(join(folder, 'source'), join(folder, 'build'), names, compiler);
  }, 900_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(cases)(
    '%s on a %s are as exact as plain code, and make of a row or a token alone what they make of it beside others',
    (name, processor) => {
      const emulator = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', '-cpu', processor];
      const file = built.files.get(kernelFileName(name))!;
      expect(tryKernels(built.trial, file, { emulator, options: ['--invariant', '--brief'] })).toBeNull();
    },
    900_000,
  );
});
