import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import { cpuFeatures, expectedKernels } from '../../src/machine/cpu-kernels.ts';
import { readGguf } from '../../src/store/gguf/gguf.ts';
import { weightMixOf } from '../../src/store/gguf/weight-mix.ts';
import { probe } from '../kernels/check.ts';
import { ask, startMeasuring } from '../kernels/measure.ts';
import { installedKernels, kernelFileName, rootWithKernels } from '../kernels/single-kernels.ts';
import { writeTypeModel } from '../kernels/type-pace.ts';
import { weightTypes } from '../kernels/weight-types.ts';
import type { BenchDeps } from './deps.ts';
import { integerList, positiveInteger } from './flags.ts';
import {
  aimOf,
  type Comparison,
  comparisonOf,
  renderRatio,
  type Scenario,
  scenarios,
  type ToKernelRunner,
  type Took,
} from './kernel-scenarios.ts';
import type { Cell, Report } from './report.ts';

interface Flags {
  library?: string;
  kernels?: string;
  as?: string[];
  types: string[];
  layers: number;
  model?: string;
  only: string[];
  threads: number[];
  rounds: number;
  out?: string;
}

/** Kernels of one name, each side below a root of its own. */
interface Pair {
  name: string;
  library: string;
  here: string;
}

/** A model and the rows that it has. */
interface Subject {
  label: string;
  path: string;
  /** What most of its weights are. */
  type: string;
  scenarios: readonly Scenario[];
}

/** One row, by both clocks. */
interface Row {
  kernels: string;
  threads: number;
  label: string;
  aim: number;
  processor: Comparison;
  wall: Comparison;
}

const usualTypes = ['q4_1', 'q5_0', 'q5_1', 'q4_k', 'q5_k', 'q6_k', 'q8_0', 'q4_0', 'iq4_nl'];
const names = (text: string) =>
  text
    .toLowerCase()
    .split(',')
    .filter((name) => name !== '');

/** `kernels`: how often as fast as the library's kernels those with our patches are, in pairs. */
export function kernelsCommand(deps: BenchDeps): Command {
  return new Command('kernels')
    .description("prompts and answers with the library's kernels and with ours, in turn, for one processor or several")
    .option('--library <folder>', "where the library's kernels lie; left out: those of this installation")
    .option('--kernels <folder>', 'where ours lie; left out: those that were built here')
    .option('--as <list>', 'kernels to measure: sse42,haswell,zen4; left out: those of this processor', names)
    .option('--types <list>', 'types of weights, each a model of random ones; "" for none', names, usualTypes)
    .option('--layers <number>', 'size of these models: 4 for 0.06 B weights, 16 for 0.24 B', positiveInteger, 4)
    .option('--model <file>', 'a GGUF file to measure as well')
    .option('--only <list>', `rows: ${scenarios.map(({ key }) => key).join(', ')}`, names, [])
    .option('--threads <list>', 'threads of each side', integerList, [1])
    .option('--rounds <number>', 'repetitions of each side', positiveInteger, 7)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('kernels', flags.out);
      const wanted = wantedScenarios(flags.only);
      const work = mkdtempSync(join(tmpdir(), 'hearth-bench-kernels-'));
      const pairs: Pair[] = [];
      try {
        for (const name of flags.as ?? [kernelsOfThisProcessor()]) pairs.push(await openPair(deps, name, flags));
        const rows: Row[] = [];
        for await (const subject of subjects(flags, wanted, work)) {
          for (const pair of pairs) {
            for (const threads of flags.threads) {
              deps.progress(`${subject.label}, ${pair.name}, threads: ${threads}`);
              const found = await measureSubject(subject, pair, { threads, rounds: flags.rounds, work });
              // A run takes long: what is known by now is said.
              for (const { label, processor } of found) deps.progress(`  ${label}: ${renderRatio(processor.ratio)}`);
              rows.push(...found);
            }
          }
        }
        for (const { name } of pairs) for (const threads of flags.threads) printTable(report, rows, name, threads);
        report.keep('rows', rows);
        report.write();
      } finally {
        for (const { library, here } of pairs) for (const root of [library, here]) rmSync(root, { recursive: true });
        rmSync(work, { recursive: true });
      }
    });
}

function wantedScenarios(only: readonly string[]): Scenario[] {
  const unknown = only.find((key) => !scenarios.some((scenario) => scenario.key === key));
  if (unknown !== undefined) throw new Error(`there is no row "${unknown}"`);
  return scenarios.filter(({ key }) => only.length === 0 || only.includes(key));
}

function kernelsOfThisProcessor(): string {
  const has = cpuFeatures((path) => (existsSync(path) ? readFileSync(path, 'utf8') : null));
  const name = has && expectedKernels(process.arch, has);
  if (name === null) throw new Error('what this processor can do is not known: name the kernels by --as');
  return name;
}

/** Makes the roots of both sides. Throws when one has no such kernels, or they do not run here. */
async function openPair({ root }: BenchDeps, name: string, flags: Flags): Promise<Pair> {
  const installed = installedKernels(root, name);
  const fileOf = (folder: string | undefined, installedFile: string | null) => {
    const file = folder === undefined ? installedFile : join(resolve(folder), kernelFileName(name));
    if (file !== null && existsSync(file)) return file;
    throw new Error(`there is no ${file ?? `${kernelFileName(name)} built here: npm run build:kernels`}`);
  };
  const [library, here] = [fileOf(flags.library, installed.library), fileOf(flags.kernels, installed.here)];
  const pair = { name, library: rootWithKernels(root, name, library), here: rootWithKernels(root, name, here) };
  for (const side of [pair.library, pair.here]) await probe(side, join(root, 'models', 'hearth-guide-3m-q8_0.gguf'));
  return pair;
}

/** The models in turn; those of random weights are written when their turn comes. */
async function* subjects(flags: Flags, wanted: readonly Scenario[], work: string): AsyncGenerator<Subject> {
  if (flags.model !== undefined) {
    const mix = Object.entries(weightMixOf(await readGguf(resolve(flags.model))));
    const [type] = mix.toSorted(([, left], [, right]) => right - left)[0] ?? [''];
    yield { label: basename(flags.model, '.gguf'), path: resolve(flags.model), type, scenarios: wanted };
  }
  for (const [index, label] of flags.types.entries()) {
    const type = weightTypes.find((one) => one.label === label);
    if (type === undefined) throw new Error(`there are no weights of type "${label}"`);
    const path = join(work, 'model.gguf');
    await writeTypeModel(path, flags.layers, type);
    // A long context costs the same whatever the weights are.
    const isOnlyOne = index === 0 && flags.model === undefined;
    yield { label, path, type: label, scenarios: wanted.filter(({ depth }) => depth === 0 || isOnlyOne) };
  }
}

async function measureSubject(
  { label, path, type, scenarios: wanted }: Subject,
  pair: Pair,
  { threads, rounds, work }: { threads: number; rounds: number; work: string },
): Promise<Row[]> {
  const script = join(import.meta.dirname, 'kernel-runner.ts');
  const sides: ChildProcess[] = [];
  try {
    // Ours first: they fill a long context sooner, and the library's kernels take it over.
    for (const root of [pair.here, pair.library])
      sides.push(await startMeasuring(script, [root, path, String(threads)]));
    const rows: Row[] = [];
    for (const scenario of wanted) {
      await prepare(sides, scenario, work);
      const [here, library] = await takeTurns(sides, scenario, rounds);
      rows.push({
        ...{ kernels: pair.name, threads, label: `${scenario.name}, ${label}` },
        aim: aimOf(pair.name, scenario.key, type),
        processor: comparisonOf(library!, here!, 'processor'),
        wall: comparisonOf(library!, here!, 'wall'),
      });
    }
    return rows;
  } finally {
    for (const child of sides) child.kill();
  }
}

/** What is measured for the first time takes longer: memory is new. */
async function prepare(sides: readonly ChildProcess[], scenario: Scenario, work: string): Promise<void> {
  const file = join(work, 'state');
  const { depth: tokens, read, steps } = scenario;
  for (const child of sides) {
    if (tokens > 0) await tell(child, { type: 'fill', tokens, file });
    const brief = { ...scenario, read: Math.min(read, 32), steps: Math.min(steps, 4) };
    await tell(child, { type: 'measure', scenario: brief });
  }
  rmSync(file, { force: true });
}

/** What each side took, by rounds; who is first in a round changes. */
async function takeTurns(sides: readonly ChildProcess[], scenario: Scenario, rounds: number): Promise<Took[][]> {
  const took = sides.map((): Took[] => []);
  const indexes = [...sides.keys()];
  for (let round = 0; round < rounds; round++) {
    for (const index of round % 2 === 0 ? indexes : indexes.toReversed()) {
      took[index]!.push((await tell(sides[index]!, { type: 'measure', scenario })) as Took);
    }
  }
  return took;
}

const tell = (child: ChildProcess, message: ToKernelRunner) => ask(child, message);

function printTable(report: Report, all: readonly Row[], kernels: string, threads: number): void {
  const rows = all.filter((row) => row.kernels === kernels && row.threads === threads);
  const cells = rows.map(({ label, aim, processor, wall }): Cell[] => [
    ...[label, processor.library, processor.here, renderRatio(processor.ratio), renderRatio(wall.ratio)],
    `${aim} ${processor.ratio.median >= aim ? 'reached' : 'missed'}`,
  ]);
  report.table(
    `${kernels}, threads: ${threads}; tokens/s of processor time, ratios as median (quartiles)`,
    ['', 'library', 'here', 'ratio', 'ratio by the wall', 'aim'],
    cells,
  );
}
