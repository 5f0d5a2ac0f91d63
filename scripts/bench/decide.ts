import { Command } from 'commander';
import { z } from 'zod';
import { sendJson, streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { firstSeed, uniqueSentences } from './prompts.ts';
import { type BenchServer, startServer } from './server.ts';
import { ratioOf, summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';

interface Flags {
  model?: string;
  threads: number;
  words: number;
  neighbours: number;
  rounds: number;
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
const cases = ['one question', 'ten new questions', 'ten known questions', 'ten, text known too'] as const;
type Case = (typeof cases)[number];

/** `decide`: what questions about one text cost, and whether the numbers move with what runs beside them. */
export function decideCommand(deps: BenchDeps): Command {
  const command = new Command('decide').description('what one and ten closed questions about a text cost');
  return addModelFlags(command, deps)
    .option('--words <number>', 'length of the text', positiveInteger, 1500)
    .option('--neighbours <number>', 'answers that are generated beside a decision', positiveInteger, 7)
    .option('--rounds <number>', 'repetitions, each with texts of its own', positiveInteger, 3)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('decide', flags.out);
      const server = await withTemporaryData((dataFolder) =>
        startServer(deps, {
          ...ownServer(flags),
          dataFolder,
          parallel: flags.neighbours + 1,
          contextTokens: Math.ceil((flags.words * 2.5 + 512) / 256) * 256,
        }),
      );
      try {
        await server.load();
        const rounds: { cases: Record<Case, Measured>; moved: number }[] = [];
        for (let round = 0; round < flags.rounds; round++) {
          deps.progress(`round ${round + 1} of ${flags.rounds}`);
          // What the worker remembers of questions would make those of the second round known.
          await server.unload();
          await server.load();
          rounds.push(await measureRound(server, flags, firstSeed(Date.now()) + 100 * round));
        }
        const of = (name: Case, figure: (found: Measured) => number) =>
          summarize(rounds.map((round) => figure(round.cases[name])));
        const first = of('one question', (found) => found.milliseconds);
        report.table(
          `A text of ${flags.words} words: median of the rounds (min-max)`,
          ['request', 'ms', 'of one question', 'prompt tokens', 'evaluated'],
          cases.map((name) => {
            const spent = of(name, (found) => found.milliseconds);
            const evaluated = of(name, (found) => found.evaluatedTokens);
            return [name, spent, ratioOf(spent, first), of(name, (found) => found.promptTokens), evaluated];
          }),
        );
        const moved = summarize(rounds.map((round) => round.moved));
        report.table('Numbers alone and beside others', ['figure', 'value'], [['largest difference', moved]]);
        report.note('evaluated: without the readings of an empty input, which new questions need once');
        report.keep('rounds', rounds);
        report.write();
      } finally {
        await server.close();
      }
    });
}

async function measureRound(server: BenchServer, { words, neighbours }: Flags, seed: number) {
  const text = (number: number) => uniqueSentences(words, seed + number);
  const found = {
    'one question': await ask(server, text(0), one),
    'ten new questions': await ask(server, text(1), ten),
    'ten known questions': await ask(server, text(2), ten),
    'ten, text known too': await ask(server, text(2), ten),
  };
  const alone = await ask(server, text(3), ten);
  await server.unload();
  await server.load();
  const others = Array.from({ length: neighbours }, (_, index) =>
    streamAnswer({
      baseUrl: server.baseUrl,
      endpoint: 'chat/completions',
      body: {
        model: server.model,
        messages: [{ role: 'user', content: uniqueSentences(100 + 50 * index, seed + 10 + index) }],
        max_tokens: 64,
        seed: index,
      },
    }),
  );
  const beside = await ask(server, text(3), ten);
  await Promise.all(others);
  const moved = Math.max(...alone.numbers.map((number, index) => Math.abs(number - beside.numbers[index]!)));
  return { cases: found, moved };
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
