/**
 * Builds llama.cpp's CPU kernels with Hearth's patches (beside this file) from the source that comes with the
 * library, and puts them into the place of the library's own where they are faster: `npm run build:kernels -- --help`.
 * Their results are tried against sums in double precision, and the built-in model is run before and after; kernels that are
 * wrong, predict something else or do not run are not used. Every compiler that is here makes its own, and all are measured in
 * turn.
 */
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import type { KernelMeasurement } from '../../src/machine/kernel-paces.ts';
import { largestDifference, predictsTheSame, probe } from './check.ts';
import { fastest, gainOf, type Pace } from './choose.ts';
import {
  BuildError,
  type Compiled,
  type Compiler,
  compile,
  compilersHere,
  requireTools,
  unpackSource,
} from './compile.ts';
import { install, kernelFiles, kernelFolders, patchFiles, restore, stateOf } from './folders.ts';
import { measureInTurn, type Runner, startRunner } from './measure.ts';
import { writePaceModel } from './pace-model.ts';
import type { ProbeResult } from './probe.ts';
import { paceTable, savePaces, toMeasurement } from './saved-paces.ts';
import { tryKernels } from './trial.ts';
import { measureTypes } from './type-pace.ts';

const repository = resolve(import.meta.dirname, '../..');
const values = new Command('npm run build:kernels --')
  .description(
    "builds llama.cpp's CPU kernels with our patches, and uses them where they are faster than the library's",
  )
  .option('--all', 'for all processors, as an image needs them; none is measured', false)
  .option('--keep-slower', "use the best of what was built even where the library's own are faster", false)
  .option('--restore', "put the library's own kernels back", false)
  .option('--root <folder>', 'an installation whose kernels these are; left out: this one', repository)
  .addHelpText(
    'after',
    '\nCC and CXX name a compiler; without, Clang and GCC are tried. It takes some minutes. More: docs/kernels.md',
  )
  .parse()
  .opts<{ all: boolean; keepSlower: boolean; restore: boolean; root: string }>();
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

/** Kernels that one compiler made. */
interface Build extends Compiled {
  compiler: Compiler;
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
  const closed = folders.find((folder) => !isWritable(folder));
  if (closed !== undefined) throw new BuildError(`${closed} may not be written to by this user.`);
  const inUse = await probeHere();
  const names = values.all ? kernelFiles(folders[0]!) : [basename(inUse.kernels)];
  if (names.every((name) => folders.every((folder) => stateOf(folder, name) === 'patched'))) {
    print(`in use   ${basename(inUse.kernels)}, built before; --restore brings the library's own back`);
    return;
  }
  print(`kernels  ${names.join(', ')}`);
  // Older ones of ours are no measure.
  const stock = restoreAll().length > 0 ? await probeHere() : inUse;
  const work = mkdtempSync(join(tmpdir(), 'hearth-kernels-'));
  try {
    const make = prepare(work, names);
    if (values.all) await useAll(make(compilersHere(process.env)[0]!), stock);
    else await useFastest(make, work, stock);
  } catch (error) {
    restoreAll();
    throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
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

type Running = ProbeResult & { kernels: string };

/** What the built-in model predicts with the kernels that are installed now. */
async function probeHere(): Promise<Running> {
  const { kernels, predictions } = await probe(root, model).catch((error: Error) => {
    throw new BuildError(
      `The built-in model does not run here: ${error.message}\nIf kernels were built before: --restore`,
    );
  });
  if (kernels === null) throw new BuildError('The library has one set of kernels for all processors here.');
  return { kernels, predictions };
}

/** Unpacks the source into `work`; the result compiles and installs what one compiler makes of it. */
function prepare(work: string, names: readonly string[]): (compiler: Compiler) => Build {
  const source = join(work, 'source');
  unpackSource(join(root, 'node_modules/node-llama-cpp/llama/gitRelease.bundle'), patchFiles(), source);
  print(
    `source   llama.cpp with ${patchFiles()
      .map((file) => basename(file))
      .join(', ')}`,
  );
  return (compiler) => {
    const startedMs = performance.now();
    const compiled = compile(source, join(work, `build-${compiler.label.replace(/\W/g, '-')}`), names, compiler);
    print(`built    by ${compiler.label} in ${seconds(startedMs)}`);
    requireRightResults(compiled, compiler);
    return { compiler, ...compiled };
  };
}

/** Tries the kernels that this processor runs. Throws `BuildError`. */
function requireRightResults({ files, trial }: Compiled, { label }: Compiler): void {
  const tried: string[] = [];
  for (const [name, file] of files) {
    const problem = tryKernels(trial, file);
    if (problem === 'other-processor') continue;
    if (problem !== null) throw new BuildError(`${label}: results of ${name} are wrong: ${problem}`);
    tried.push(name);
  }
  print(`checked  ${tried.join(', ')} against sums in double precision`);
}

const use = (files: ReadonlyMap<string, string>) => {
  for (const folder of folders) install(folder, files);
};

/** For every processor: what runs here is checked, what does not is believed. Throws `BuildError`. */
async function useAll({ files }: Build, stock: Running): Promise<void> {
  use(files);
  const problem = await findProblem(stock);
  if (problem !== null) throw new BuildError(`${problem}\nThe library's own kernels are back.`);
  printInUse();
}

/**
 * Tries what each compiler makes, and leaves the fastest in its place; where none is faster, the library's own. Throws
 * `BuildError` when none runs as it should.
 */
async function useFastest(make: (compiler: Compiler) => Build, work: string, stock: Running): Promise<void> {
  const paceModel = await writePaceModel(work);
  const runners: Runner[] = [await startRunner(root, paceModel)];
  try {
    const builds: Build[] = [];
    const problems: string[] = [];
    for (const compiler of compilersHere(process.env)) {
      const build = attempt(() => make(compiler), problems);
      if (build === null) continue;
      use(build.files);
      const problem = await findProblem(stock);
      if (problem === null) {
        builds.push(build);
        runners.push(await startRunner(root, paceModel));
      } else problems.push(`${compiler.label}: ${problem}`);
      restoreAll();
    }
    for (const problem of problems) print(`left out ${problem}`);
    if (builds.length === 0) throw new BuildError(`${problems.join('\n')}\nThe library's own kernels are back.`);
    const [own, ...paces] = await measureInTurn(runners);
    const winner = choose(builds, own!, paces);
    await keepPaces(stock.kernels, winner);
    if (winner !== null) printInUse();
  } finally {
    for (const { child } of runners) child.kill();
  }
}

/**
 * Measures each type of weights with the library's kernels, then with those that stay, which are put into their place; the
 * server tells by it which quantizations are fast here.
 */
async function keepPaces(kernels: string, winner: Build | null): Promise<void> {
  const measured: KernelMeasurement[] = [];
  const measure = async (builtHere: boolean) => {
    const startedMs = performance.now();
    const types = await measureTypes(root, { rounds: 2 });
    measured.push(toMeasurement(kernels, builtHere, types, 'npm run build:kernels'));
    print(`types    ${builtHere ? 'ours' : "the library's"} measured in ${seconds(startedMs)}`);
  };
  await measure(false);
  if (winner !== null) {
    use(winner.files);
    await measure(true);
  }
  for (const folder of folders) savePaces(folder, measured);
  for (const line of paceTable(measured)) print(line);
}

/** What it gives; null, and its words among the problems, when it throws a `BuildError`. */
function attempt<Result>(act: () => Result, problems: string[]): Result | null {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    problems.push(error.message);
    return null;
  }
}

/** `own`: the pace of the library's kernels; `paces`: those of the builds, in their order. Null: the library's stay. */
function choose(builds: readonly Build[], own: Pace, paces: readonly Pace[]): Build | null {
  const measured = builds.map((build, index) => ({ ...build, pace: paces[index]! }));
  print(`measured ${'the library'.padEnd(12)} ${describe(own)}`);
  for (const { compiler, pace } of measured) {
    const ratios = `${(pace.prompt / own.prompt).toFixed(2)} and ${(pace.decode / own.decode).toFixed(2)} times`;
    print(`         ${compiler.label.padEnd(12)} ${describe(pace)}: ${ratios}`);
  }
  const best = measured.toSorted((left, right) => gainOf(own, right.pace) - gainOf(own, left.pace))[0]!;
  const winner = values.keepSlower ? best : fastest(own, measured);
  if (winner === null) {
    print("in use   the library's own: none of these is faster here");
    return null;
  }
  print(`         those of ${winner.compiler.label} stay`);
  return winner;
}

const describe = ({ prompt, decode }: Pace) =>
  `prompts ${prompt.toFixed(0)} tokens/s, answers ${decode.toFixed(1)} tokens/s`;

function printInUse(): void {
  print(`in use   ${folders.map((folder) => relative(root, folder)).join(', ')}`);
  print('         loaded models keep their kernels until they are loaded again; npm ci brings the old ones back');
}

/** What is wrong with the kernels that are installed now; null when the model predicts the same with them. */
async function findProblem(stock: Running): Promise<string | null> {
  let after: ProbeResult;
  try {
    after = await probe(root, model);
  } catch (error) {
    return `a model does not run with them: ${error instanceof Error ? error.message : String(error)}`;
  }
  // Kernels that cannot be loaded are passed over for those of an older processor.
  if (after.kernels !== stock.kernels) return `the library does not load them but ${after.kernels}`;
  const difference = largestDifference(stock.predictions, after.predictions).toFixed(4);
  if (!predictsTheSame(stock.predictions, after.predictions)) {
    return `the built-in model predicts something else with them: a probability differs by ${difference}`;
  }
  print(`checked  the built-in model predicts the same (probabilities differ by at most ${difference})`);
  return null;
}

try {
  await main();
} catch (error) {
  if (error instanceof BuildError) fail(error.message);
  throw error;
}
