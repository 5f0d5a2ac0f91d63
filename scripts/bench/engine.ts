import { resolve } from 'node:path';
import { Command } from 'commander';
import type { BenchDeps } from './deps.ts';
import { bareSide, type EngineSide, engineSide, type OpenSide, serverSide } from './engine-sides.ts';
import { integerList, positiveInteger } from './flags.ts';
import { uniqueWords, wordsFor } from './prompts.ts';
import { type Cell, renderCell } from './report.ts';
import { alternate } from './rounds.ts';
import { bestRatioOf, ratioOf, type Summary, summarize } from './statistics.ts';
import { decodeRate, failureOf, prefillRate, type StreamTrace, steadyRate, sumRate } from './trace.ts';

interface Flags {
  model: string;
  threads: number;
  streams: number[];
  promptTokens: number;
  generate: number;
  rounds: number;
  sides: string;
  out?: string;
}

const batchTokens = 512;
const leastContextTokens = 1024;
/** Words of the prompt that tells how many tokens a word costs. */
const probeWords = 200;

/** `engine`: decode and prefill of the engine beside the bare library, at several numbers of streams. */
export function engineCommand(deps: BenchDeps): Command {
  return new Command('engine')
    .description('decode and prefill of the engine, beside a bare loop over the library and its own batching')
    .requiredOption('--model <file>', 'GGUF file')
    .option('--threads <number>', 'threads of each side', positiveInteger, deps.cores)
    .option('--streams <list>', 'numbers of streams', integerList, [1, 2, 4, 8])
    .option('--prompt-tokens <number>', 'length of each prompt', positiveInteger, 80)
    .option('--generate <number>', 'tokens of each answer', positiveInteger, 64)
    .option('--rounds <number>', 'repetitions of each side', positiveInteger, 3)
    .option('--sides <list>', 'of engine, bare, library and server, in the order of their turns', 'engine,bare,library')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('engine', flags.out);
      const sides = flags.sides.split(',').map((name) => sideOf(deps, name));
      const columns = ['streams', ...sides.map(({ name }) => name), ...ratioColumns(sides)];
      const decode: Cell[][] = [];
      const prefill: Cell[][] = [];
      const raw: unknown[] = [];
      for (const streams of flags.streams) {
        deps.progress(`${streams} streams`);
        const results = await measure(sides, streams, flags);
        for (const [side, runs] of results) {
          raw.push({ streams, side: side.name, runs: runs.map(figures) });
          const failure = failureOf(runs.flat());
          if (failure !== null) report.note(`${side.name}, ${streams} streams: ${failure}`);
          if (runs.some((traces) => endedEarly(traces, flags.generate))) {
            report.note(`${side.name}, ${streams} streams: an answer ended before ${flags.generate} tokens`);
          }
        }
        const row = (rate: (traces: readonly StreamTrace[]) => number | null): Cell[] => {
          const summaries = sides.map((side) => summarize((results.get(side) ?? []).map(rate)));
          return [String(streams), ...summaries, ...ratios(sides, summaries)];
        };
        decode.push(row(steadyRate));
        prefill.push(row(prefillRate));
      }
      report.table('Decode, tokens/s in sum while all streams decode: median (min-max)', columns, decode);
      report.table('Prefill, prompt tokens/s until the last first token: median (min-max)', columns, prefill);
      report.keep('runs', raw);
      report.write();
    });
}

function sideOf(deps: BenchDeps, name: string): EngineSide {
  switch (name) {
    case 'engine':
      return engineSide(deps);
    case 'bare':
      return bareSide({ ...deps, aligned: true });
    case 'library':
      return bareSide({ ...deps, aligned: false });
    case 'server':
      return serverSide(deps);
    default:
      throw new Error(`there is no side "${name}"; there are engine, bare, library and server`);
  }
}

/** Opens all sides, warms each up, and lets them run in turn. All are loaded at the same time, one decodes. */
async function measure(
  sides: readonly EngineSide[],
  streams: number,
  flags: Flags,
): Promise<Map<EngineSide, StreamTrace[][]>> {
  const needed = flags.promptTokens * 1.25 + flags.generate + 16;
  const contextTokens = Math.max(leastContextTokens, Math.ceil(needed / 256) * 256);
  const modelPath = resolve(flags.model);
  const options = { modelPath, threads: flags.threads, streams, contextTokens, batchTokens };
  const open = new Map<EngineSide, OpenSide>();
  try {
    for (const side of sides) open.set(side, await side.open(options));
    let tokensPerWord = 1;
    for (const side of open.values()) {
      const [probe] = await side.run([uniqueWords(probeWords, 1)], 4);
      if (probe?.promptTokens) tokensPerWord = probe.promptTokens / probeWords;
      await side.run(
        Array.from({ length: streams }, (_, stream) => uniqueWords(20, stream + 2)),
        8,
      );
    }
    const words = wordsFor(flags.promptTokens, { fixedTokens: 0, tokensPerWord });
    return await alternate(sides, flags.rounds, (side, round) => {
      // The same prompts for all sides of a round, new ones in the next: nothing of them is in a cache.
      const prompts = Array.from({ length: streams }, (_, stream) => uniqueWords(words, 1000 + round * 100 + stream));
      return open.get(side)!.run(prompts, flags.generate);
    });
  } finally {
    for (const side of open.values()) await side.close();
  }
}

function figures(traces: readonly StreamTrace[]) {
  return {
    steadyTokensPerSecond: steadyRate(traces),
    sumTokensPerSecond: sumRate(traces),
    prefillTokensPerSecond: prefillRate(traces),
    perStream: traces.map((trace) => ({
      promptTokens: trace.promptTokens,
      cachedPromptTokens: trace.cachedPromptTokens,
      completionTokens: trace.completionTokens,
      tokensPerSecond: decodeRate(trace),
    })),
  };
}

function endedEarly(traces: readonly StreamTrace[], generate: number): boolean {
  return traces.some((trace) => (trace.completionTokens ?? generate) < generate);
}

/** The first side over each other one: of the medians, and of the best rounds in brackets. */
function ratioColumns(sides: readonly EngineSide[]): string[] {
  return sides.slice(1).map((side) => `${sides[0]!.name}/${side.name}`);
}

function ratios(sides: readonly EngineSide[], summaries: readonly (Summary | null)[]): Cell[] {
  const [first = null, ...others] = summaries;
  return sides.slice(1).map((_, index) => {
    const other = others[index] ?? null;
    const medians = ratioOf(first, other);
    return medians === null ? null : `${renderCell(medians)} (${renderCell(bestRatioOf(first, other))})`;
  });
}
