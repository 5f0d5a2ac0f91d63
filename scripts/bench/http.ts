import { Command } from 'commander';
import { streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { baseUrl, integerList, positiveInteger } from './flags.ts';
import { firstSeed, fitTokenCost, type TokenCost, uniqueWords, wordsFor } from './prompts.ts';
import type { Cell } from './report.ts';
import { alternate } from './rounds.ts';
import { openaiSampling } from './sampling.ts';
import { quantile, ratioOf, type Summary, summarize } from './statistics.ts';
import { decodeRate, failureOf, firstTokenMs, gapQuantile, type StreamTrace, sumRate } from './trace.ts';

interface Flags {
  a: string;
  b?: string;
  model: string;
  modelB?: string;
  streams: number[];
  promptTokens: number[];
  generate: number;
  rounds: number;
  ignoreEos?: boolean;
  out?: string;
}

interface Side {
  name: 'A' | 'B';
  baseUrl: string;
  model: string;
}

/** Used where a server does not count prompt tokens: English words of common vocabularies, and a chat template. */
const guessedCost: TokenCost = { tokensPerWord: 1.2, fixedTokens: 20 };

const measures: readonly [title: string, figure: (traces: readonly StreamTrace[]) => number | null][] = [
  [
    'TTFT ms',
    (traces) =>
      quantile(
        traces.map(firstTokenMs).filter((value) => value !== null),
        0.5,
      ),
  ],
  ['gap p50 ms', (traces) => gapQuantile(traces, 0.5)],
  ['gap p99 ms', (traces) => gapQuantile(traces, 0.99)],
  ['tok/s stream', (traces) => summarize(traces.map(decodeRate))?.median ?? null],
  ['tok/s sum', sumRate],
  // A rate begins with somebody's first token, so whoever makes all wait alike looks fast; this is what a group waits.
  [
    'all done ms',
    (traces) => Math.max(...traces.map(({ endMs }) => endMs)) - Math.min(...traces.map(({ startMs }) => startMs)),
  ],
];

/** `http`: a plain OpenAI streaming client against one or two base URLs. */
export function httpCommand(deps: BenchDeps): Command {
  return new Command('http')
    .description('OpenAI streaming against one server, or two in turn (A B A B) with ratios')
    .requiredOption('--a <url>', 'base URL on this machine', baseUrl)
    .option('--b <url>', 'base URL to compare with', baseUrl)
    .requiredOption('--model <name>', 'model name for the requests')
    .option('--model-b <name>', 'name of the same model on B; left out: the same')
    .option('--streams <list>', 'numbers of streams', integerList, [1, 2, 4, 8, 16])
    .option('--prompt-tokens <list>', 'lengths of the prompts', integerList, [64, 512, 2048])
    .option('--generate <number>', 'tokens of each answer', positiveInteger, 64)
    .option('--rounds <number>', 'repetitions of each side', positiveInteger, 3)
    .option('--ignore-eos', 'ask for answers that do not end by themselves; only where both servers know the field')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('http', flags.out);
      const sides: Side[] = [{ name: 'A', baseUrl: flags.a, model: flags.model }];
      if (flags.b !== undefined) sides.push({ name: 'B', baseUrl: flags.b, model: flags.modelB ?? flags.model });
      let nextSeed = firstSeed(Date.now());
      const cost = await tokenCost(sides[0]!, nextSeed);
      nextSeed += 2;
      if (cost === null) report.note('A does not count prompt tokens; prompt lengths are guessed');
      // Loads the model and warms the connection; its figures are thrown away.
      for (const side of sides.slice(1)) await ask(side, 'Hello', 0, 8, flags);
      const rows: Cell[][] = [];
      const raw: unknown[] = [];
      for (const promptTokens of flags.promptTokens) {
        for (const streams of flags.streams) {
          deps.progress(`${streams} streams, prompts of ${promptTokens} tokens`);
          const words = wordsFor(promptTokens, cost ?? guessedCost);
          const firstOfGroup = nextSeed;
          nextSeed += flags.rounds * streams;
          const results = await alternate(sides, flags.rounds, (side, round) => {
            // The same prompts for both sides of a round.
            const seed = firstOfGroup + round * streams;
            return Promise.all(
              Array.from({ length: streams }, (_, stream) =>
                ask(side, uniqueWords(words, seed + stream), stream, flags.generate, flags),
              ),
            );
          });
          const summaries = new Map<Side, (Summary | null)[]>();
          for (const [side, runs] of results) {
            const failure = failureOf(runs.flat());
            if (failure !== null) report.note(`${side.name}, ${streams} x ${promptTokens}: ${failure}`);
            const figures = measures.map(([, figure]) => summarize(runs.map(figure)));
            summaries.set(side, figures);
            rows.push([`${promptTokens}`, streams, side.name, ...figures]);
            raw.push({ promptTokens, streams, side: side.name, runs: runs.map(rawFigures) });
          }
          const [a, b] = sides.map((side) => summaries.get(side)!);
          if (a && b) {
            rows.push([`${promptTokens}`, streams, 'A/B', ...a.map((summary, index) => ratioOf(summary, b[index]!))]);
          }
        }
      }
      const columns = ['prompt tokens', 'streams', 'side', ...measures.map(([title]) => title)];
      report.table('Streaming chat completions: median of the rounds (min-max)', columns, rows);
      report.keep('sides', sides);
      report.keep('runs', raw);
      report.write();
    });
}

function ask(
  side: Side,
  prompt: string,
  stream: number,
  maxTokens: number,
  flags: { ignoreEos?: boolean },
): Promise<StreamTrace> {
  return streamAnswer({
    baseUrl: side.baseUrl,
    endpoint: 'chat/completions',
    body: {
      model: side.model,
      messages: [{ role: 'user', content: prompt }],
      max_tokens: maxTokens,
      ...openaiSampling(stream),
      ...(flags.ignoreEos && { ignore_eos: true }),
    },
  });
}

/** What a word costs, from two prompts of different length; null where the server gives no counts. */
async function tokenCost(side: Side, seed: number): Promise<TokenCost | null> {
  const points: { words: number; tokens: number }[] = [];
  for (const [index, words] of [20, 120].entries()) {
    const trace = await ask(side, uniqueWords(words, seed + index), 0, 8, {});
    if (trace.failure !== null && trace.tokenTimesMs.length === 0) {
      throw new Error(`A does not answer: ${trace.failure}`);
    }
    if (trace.promptTokens === null) return null;
    points.push({ words, tokens: trace.promptTokens });
  }
  return fitTokenCost(points[0]!, points[1]!);
}

function rawFigures(traces: readonly StreamTrace[]) {
  return {
    sumTokensPerSecond: sumRate(traces),
    perStream: traces.map((trace) => ({
      ttftMs: firstTokenMs(trace),
      tokensPerSecond: decodeRate(trace),
      promptTokens: trace.promptTokens,
      cachedPromptTokens: trace.cachedPromptTokens,
      completionTokens: trace.completionTokens,
      chunks: trace.tokenTimesMs.length,
      failure: trace.failure,
    })),
  };
}
