/**
 * Builds llama.cpp's CPU kernels with Hearth's patches (beside this file) from the source that comes with the
 * library, and puts them into the place of the library's own:
 * `npm run build:kernels -- [--all] [--restore] [--root DIR]`.
 * The built-in model is run before and after; kernels that predict something else or do not run are taken back.
 */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { largestDifference, predictsTheSame, probe } from './check.ts';
import { BuildError, chooseCompilers, compile, requireTools, unpackSource } from './compile.ts';
import { install, kernelFiles, kernelFolders, patchFiles, restore, stateOf } from './folders.ts';
import type { ProbeResult } from './probe.ts';

const repository = resolve(import.meta.dirname, '../..');
const { values } = parseArgs({
  options: {
    all: { type: 'boolean', default: false },
    restore: { type: 'boolean', default: false },
    root: { type: 'string', default: repository },
  },
});
const root = resolve(values.root);
const model = join(repository, 'models', 'hearth-guide-3m-q8_0.gguf');
const print = (line: string) => process.stdout.write(`${line}\n`);
const seconds = (sinceMs: number) => `${Math.round((performance.now() - sinceMs) / 1000)} s`;

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

const folders = kernelFolders(root);
if (folders.length === 0) {
  fail(
    `No kernels to build: on ${process.platform}-${process.arch} the library has none for single processors (or npm ci has not run).`,
  );
}

/** All folders as they came. */
function restoreAll(): string[] {
  return [...new Set(folders.flatMap(restore))];
}

async function main(): Promise<void> {
  if (values.restore) {
    const names = restoreAll();
    print(
      names.length === 0 ? 'stock    nothing was changed' : `stock    ${names.join(', ')} as the library brought them`,
    );
    return;
  }
  requireTools(process.env);
  // What this machine cannot run is not checked here, so it is not left to a compiler that is known to fail at some of it.
  if (values.all && chooseCompilers(process.env).CXX === undefined) {
    throw new BuildError('Kernels for other processors are built with Clang. On Debian: apt-get install clang');
  }
  const closed = folders.find((folder) => !isWritable(folder));
  if (closed !== undefined) throw new BuildError(`${closed} may not be written to by this user.`);
  const before = await probe(root, model).catch((error: Error) => {
    throw new BuildError(
      `The built-in model does not run here: ${error.message}\nIf kernels were built before: --restore`,
    );
  });
  if (before.kernels === null) throw new BuildError('The library has one set of kernels for all processors here.');
  const inUse = basename(before.kernels);
  const names = values.all ? kernelFiles(folders[0]!) : [inUse];
  if (names.every((name) => folders.every((folder) => stateOf(folder, name) === 'patched'))) {
    print(`in use   ${inUse}, built before; --restore brings the library's own back`);
    return;
  }
  await build(names, before);
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    // Whatever the reason: nothing can be put there.
    return false;
  }
}

async function build(names: readonly string[], before: ProbeResult): Promise<void> {
  print(`kernels  ${names.join(', ')}`);
  const work = mkdtempSync(join(tmpdir(), 'hearth-kernels-'));
  try {
    const source = join(work, 'source');
    unpackSource(join(root, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), patchFiles(), source);
    print(
      `source   llama.cpp with ${patchFiles()
        .map((file) => basename(file))
        .join(', ')}`,
    );
    const startedMs = performance.now();
    const built = compile(source, join(work, 'build'), names, process.env);
    print(`built    by ${chooseCompilers(process.env).CXX ?? 'the default compiler'} in ${seconds(startedMs)}`);
    for (const folder of folders) install(folder, built);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  await check(before);
  print(`in use   ${folders.map((folder) => relative(root, folder)).join(', ')}`);
  print('         loaded models keep their kernels until they are loaded again; npm ci brings the old ones back');
}

/** Takes the new kernels back when the model does not run with them or predicts something else. */
async function check(before: ProbeResult): Promise<void> {
  const takeBack = (reason: string): never => {
    restoreAll();
    throw new BuildError(
      `${reason}\nThe library's own kernels are back. Another compiler may do: CC=clang CXX=clang++ npm run build:kernels`,
    );
  };
  const after = await probe(root, model).catch((error: Error) =>
    takeBack(`A model does not run with them: ${error.message}`),
  );
  // Kernels that cannot be loaded are passed over for those of an older processor.
  if (after.kernels !== before.kernels) takeBack(`The library does not load them but ${after.kernels}.`);
  const difference = largestDifference(before.predictions, after.predictions).toFixed(4);
  if (!predictsTheSame(before.predictions, after.predictions)) {
    takeBack(`The built-in model predicts something else with them: a probability differs by ${difference}.`);
  }
  print(`checked  the built-in model predicts the same (probabilities differ by at most ${difference})`);
}

try {
  await main();
} catch (error) {
  if (error instanceof BuildError) fail(error.message);
  throw error;
}
