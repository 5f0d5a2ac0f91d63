import { resolve } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import { sendJson, streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { integerList, positiveInteger } from './flags.ts';
import { firstSeed, fitTokenCost, uniqueSentences, wordsFor } from './prompts.ts';
import { alternate } from './rounds.ts';
import { type BenchServer, startServer } from './server.ts';
import { ratioOf, summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';

interface Flags {
  model?: string;
  threads: number;
  tokens: number[];
  neighbours: number;
  rounds: number;
  bRoot?: string;
  out?: string;
}

const decided = z.object({
  answers: z.array(
    z.object({
      label_mass: z.number(),
      probability: z.number().optional(),
      probabilities: z.array(z.object({ probability: z.number() })).optional(),
    }),
  ),
  usage: z.object({ prompt_tokens: z.number(), cached_prompt_tokens: z.number() }),
});

/** What one request gave. */
interface Measured {
  milliseconds: number;
  promptTokens: number;
  evaluatedTokens: number;
  numbers: number[];
}

const one = [{ type: 'yes_no', question: 'Is the writer angry?' }];
const ten = [
  ...one,
  { type: 'yes_no', question: 'Is it about money?' },
  { type: 'yes_no', question: 'Does the writer ask for help?' },
  { type: 'yes_no', question: 'Is somebody thanked?' },
  { type: 'yes_no', question: 'Is it about food?' },
  { type: 'choice', question: 'What is the mood of the writer?', options: ['positive', 'negative'] },
  { type: 'choice', question: 'Which is it?', options: ['question', 'order', 'story'] },
  { type: 'score', question: 'How urgent is it?', levels: ['low', 'medium', 'high'] },
  { type: 'score', question: 'How polite is it?', levels: ['low', 'medium', 'high'] },
  { type: 'yes_no', question: 'Is a date named?' },
];
/** A request that comes first, so that none of those that are measured is the first of its process. */
const warmUp = [{ type: 'yes_no', question: 'Is this a long text?' }];
const cases = ['one new', 'one known', 'ten new', 'ten known', 'ten, text known too'] as const;
type Case = (typeof cases)[number];

/** A server that is measured, in turn with the other. */
interface Side {
  name: string;
  server: BenchServer;
  close(): Promise<void>;
}

/** Some lengths of text on one side in one round. */
type Round = Record<Case, Measured>;

/** `decide`: what questions about one text cost, and whether the numbers move with what runs beside them. */
export function decideCommand(deps: BenchDeps): Command {
  const command = new Command('decide').description('what one and ten closed questions about a text cost');
  return addModelFlags(command, deps)
    .option('--tokens <list>', 'lengths of the prompt with one question', integerList, [300, 600, 1_100])
    .option('--neighbours <number>', 'answers that are generated beside a decision', positiveInteger, 7)
    .option('--rounds <number>', 'repetitions, each with texts of its own', positiveInteger, 3)
    .option('--b-root <folder>', 'another checkout of this repository, measured in turn')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('decide', flags.out);
      const sides: Side[] = [];
      try {
        sides.push(await startSide(deps, flags, flags.bRoot === undefined ? 'this' : 'A'));
        if (flags.bRoot !== undefined) sides.push(await startSide({ ...deps, root: resolve(flags.bRoot) }, flags, 'B'));
        let seed = firstSeed(Date.now());
        const words = await wordsOf(sides[0]!.server, flags.tokens, seed);
        for (const [index, tokens] of flags.tokens.entries()) {
          const found = await alternate(sides, flags.rounds, ({ name, server }, round) => {
            deps.progress(`${tokens} tokens, round ${round + 1} of ${flags.rounds}: ${name}`);
            seed += 10;
            return measureRound(server, words[index]!, seed);
          });
          report.table(`${tokens} tokens: median of the rounds (min-max)`, columns, rowsOf(sides, found));
          report.keep(
            `rounds at ${tokens} tokens`,
            Object.fromEntries(sides.map((side) => [side.name, found.get(side)])),
          );
        }
        const moved = await alternate(sides, flags.rounds, ({ server }) => {
          deps.progress('beside others');
          seed += 100;
          return measureMoved(server, words[0]!, seed, flags.neighbours);
        });
        report.table(
          `Numbers alone and beside ${flags.neighbours} others`,
          ['side', 'largest difference'],
          sides.map((side) => [side.name, summarize(moved.get(side)!)]),
        );
        report.note('of one: the median over that of one question that is as new or as well known');
        report.note('evaluated: without the readings of an empty input, which new questions need once');
        report.write();
      } finally {
        for (const side of sides) await side.close();
      }
    });
}

const columns = ['request', 'side', 'ms', 'of one', 'prompt tokens', 'evaluated'];

function rowsOf(sides: readonly Side[], found: ReadonlyMap<Side, readonly Round[]>) {
  return cases.flatMap((name) =>
    sides.map((side) => {
      const of = (own: Case, figure: (one: Measured) => number) =>
        summarize(found.get(side)!.map((round) => figure(round[own])));
      const milliseconds = of(name, (one) => one.milliseconds);
      const single = of(name === 'ten new' || name === 'one new' ? 'one new' : 'one known', (one) => one.milliseconds);
      const promptTokens = of(name, (one) => one.promptTokens);
      const evaluated = of(name, (one) => one.evaluatedTokens);
      return [name, side.name, milliseconds, ratioOf(milliseconds, single), promptTokens, evaluated];
    }),
  );
}

async function startSide(deps: BenchDeps, flags: Flags, name: string): Promise<Side> {
  const server = await withTemporaryData((dataFolder) =>
    startServer(deps, {
      ...ownServer(flags),
      dataFolder,
      parallel: flags.neighbours + 1,
      contextTokens: Math.ceil((1.2 * Math.max(...flags.tokens) + 256) / 256) * 256,
    }),
  );
  await server.load();
  return { name, server, close: server.close };
}

/** How many words make prompts of about so many tokens with one question. */
async function wordsOf(server: BenchServer, tokens: readonly number[], seed: number): Promise<number[]> {
  const points: { words: number; tokens: number }[] = [];
  for (const words of [20, 60]) {
    const { promptTokens } = await ask(server, uniqueSentences(words, seed), one);
    points.push({ words, tokens: promptTokens });
  }
  const cost = fitTokenCost(points[0]!, points[1]!);
  return tokens.map((count) => wordsFor(count, cost));
}

async function measureRound(server: BenchServer, words: number, seed: number): Promise<Round> {
  const text = (number: number) => uniqueSentences(words, seed + number);
  // What the worker remembers of questions would make those of the second round known.
  const renew = async () => {
    await server.unload();
    await server.load();
    await ask(server, text(9), warmUp);
  };
  await renew();
  const oneNew = await ask(server, text(0), one);
  const oneKnown = await ask(server, text(1), one);
  await renew();
  return {
    'one new': oneNew,
    'one known': oneKnown,
    'ten new': await ask(server, text(2), ten),
    'ten known': await ask(server, text(3), ten),
    'ten, text known too': await ask(server, text(3), ten),
  };
}

/** The largest difference that a number of a decision has alone and beside others. */
async function measureMoved(server: BenchServer, words: number, seed: number, neighbours: number): Promise<number> {
  const text = uniqueSentences(words, seed);
  const alone = await ask(server, text, ten);
  await server.unload();
  await server.load();
  const others = Array.from({ length: neighbours }, (_, index) =>
    streamAnswer({
      baseUrl: server.baseUrl,
      endpoint: 'chat/completions',
      body: {
        model: server.model,
        messages: [{ role: 'user', content: uniqueSentences(100 + 10 * index, seed + 10 + index) }],
        max_tokens: 64,
        seed: index,
      },
    }),
  );
  const beside = await ask(server, text, ten);
  await Promise.all(others);
  return Math.max(...alone.numbers.map((number, index) => Math.abs(number - beside.numbers[index]!)));
}

async function ask(server: BenchServer, input: string, questions: readonly object[]): Promise<Measured> {
  const startMs = performance.now();
  const { status, body } = await sendJson(`${server.baseUrl}/decide`, 'POST', {
    model: server.model,
    input,
    questions,
  });
  const milliseconds = performance.now() - startMs;
  if (status !== 200) throw new Error(`a request failed: status ${status}: ${JSON.stringify(body)}`);
  const { answers, usage } = decided.parse(body);
  return {
    milliseconds,
    promptTokens: usage.prompt_tokens,
    evaluatedTokens: usage.prompt_tokens - usage.cached_prompt_tokens,
    numbers: answers.flatMap(({ label_mass, probability, probabilities = [] }) => [
      label_mass,
      ...(probability === undefined ? [] : [probability]),
      ...probabilities.map((option) => option.probability),
    ]),
  };
}
