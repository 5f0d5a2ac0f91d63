import { setTimeout as pause } from 'node:timers/promises';
import { Command } from 'commander';
import { cancelBatch, createBatch, hasEnded, waitForBatch } from './batches.ts';
import { streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { firstSeed, seededRandom, uniqueWords } from './prompts.ts';
import { openaiSampling } from './sampling.ts';
import { type BenchServer, startServer } from './server.ts';
import { quantile, ratioOf, summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';
import { firstTokenMs, gapsMs, type StreamTrace } from './trace.ts';

interface Flags {
  model?: string;
  threads: number;
  words: number;
  answerTokens: number;
  itemWords: number;
  pairs: number;
  out?: string;
}

/** More than a server answers in the time of one stream. */
const batchSize = 500;
/** Streams of a run that are thrown away: the first ones of a process. */
const warmUps = 3;

const sides = ['alone', 'beside a batch'] as const;
type Side = (typeof sides)[number];
type Pair = Record<Side, StreamTrace>;

/** `batch-beside`: what somebody who chats notices of a batch that runs. */
export function batchBesideCommand(deps: BenchDeps): Command {
  const command = new Command('batch-beside').description('first token and gaps of a stream beside a running batch');
  return addModelFlags(command, deps)
    .option('--words <number>', 'length of the prompt of a stream', positiveInteger, 100)
    .option('--answer-tokens <number>', 'tokens of its answer', positiveInteger, 64)
    .option('--item-words <number>', 'length of the prompts of the batch', positiveInteger, 200)
    .option('--pairs <number>', 'streams alone, and as many beside a batch of their own', positiveInteger, 20)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('batch-beside', flags.out);
      const server = await withTemporaryData((dataFolder) => startServer(deps, { ...ownServer(flags), dataFolder }));
      try {
        await server.load();
        const firstSeedOfRun = firstSeed(Date.now());
        const random = seededRandom(firstSeedOfRun);
        for (let n = 0; n < warmUps; n++) await stream(server, flags, firstSeedOfRun + n);
        const pairs: Pair[] = [];
        for (let n = 0; n < flags.pairs; n++) {
          deps.progress(`pair ${n + 1} of ${flags.pairs}`);
          const seed = firstSeedOfRun + (n + 1) * 1_000;
          // Each side is the first of every second pair, so that a machine that gets slower for a while slows both.
          const order = n % 2 === 0 ? sides : sides.toReversed();
          const pair = new Map<Side, StreamTrace>();
          for (const side of order) {
            const ask = () => stream(server, flags, seed + (side === 'alone' ? 0 : 1));
            pair.set(side, await (side === 'alone' ? ask() : besideBatch(server, flags, { seed, random, ask })));
          }
          pairs.push(Object.fromEntries(pair) as Pair);
        }
        report.table(
          `${flags.pairs} streams of ${flags.answerTokens} tokens alone, and as many beside a batch`,
          ['figure', 'alone ms', 'beside ms', 'beside/alone'],
          rowsOf(pairs),
        );
        report.note('the aims: the first token after at most 1.3 times the time, gaps as alone');
        report.keep('pairs', pairs);
        report.write();
      } finally {
        await server.close();
      }
    });
}

function rowsOf(pairs: readonly Pair[]) {
  const of = (side: Side) => pairs.map((pair) => pair[side]);
  const firsts = (side: Side) => summarize(of(side).map(firstTokenMs));
  const [alone, beside] = [firsts('alone'), firsts('beside a batch')];
  const row = (name: string, figure: (side: Side) => number | null) => {
    const [left, right] = [figure('alone'), figure('beside a batch')];
    return [name, left, right, left && right ? right / left : null] as const;
  };
  const gap = (q: number) => (side: Side) => quantile(of(side).flatMap(gapsMs), q);
  return [
    ['first token, median (min-max)', alone, beside, ratioOf(beside, alone)],
    row('first token, p90', (side) =>
      quantile(
        of(side)
          .map(firstTokenMs)
          .filter((value) => value !== null),
        0.9,
      ),
    ),
    row('gap, p50', gap(0.5)),
    row('gap, p99', gap(0.99)),
    row('gap, longest', gap(1)),
  ];
}

/** One stream that begins at a random moment of a batch, which is made for it and ended behind it. */
async function besideBatch(
  { baseUrl, model }: BenchServer,
  { itemWords }: Flags,
  { seed, random, ask }: { seed: number; random: () => number; ask: () => Promise<StreamTrace> },
): Promise<StreamTrace> {
  const made = await createBatch(
    baseUrl,
    Array.from({ length: batchSize }, (_, n) => ({
      model,
      messages: [{ role: 'user', content: uniqueWords(itemWords, seed + 1_000_000 + n) }],
      max_tokens: 128,
      ...openaiSampling(n),
    })),
  );
  await waitForBatch(baseUrl, made, ({ request_counts: counts }) => counts.completed > 0);
  await pause(1_000 * random());
  const trace = await ask();
  const { status } = await waitForBatch(baseUrl, made, () => true);
  if (hasEnded({ status })) throw new Error('the batch had ended before the stream: there was nothing beside it');
  await cancelBatch(baseUrl, made);
  return trace;
}

async function stream({ baseUrl, model }: BenchServer, flags: Flags, seed: number): Promise<StreamTrace> {
  const trace = await streamAnswer({
    baseUrl,
    endpoint: 'chat/completions',
    body: {
      model,
      messages: [{ role: 'user', content: `Tell a story. ${uniqueWords(flags.words, seed)}` }],
      max_tokens: flags.answerTokens,
      ignore_eos: true,
      ...openaiSampling(seed % 1_000),
    },
  });
  if (trace.failure !== null) throw new Error(`a stream failed: ${trace.failure}`);
  return trace;
}
