import { setTimeout } from 'node:timers/promises';
import { Command } from 'commander';
import { sendJson, streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger, variable } from './flags.ts';
import { firstSeed, uniqueSentences, uniqueWords } from './prompts.ts';
import type { Cell } from './report.ts';
import { alternate } from './rounds.ts';
import { ratioOf, type Summary, summarize } from './statistics.ts';
import { addTargetFlags, openTarget, type Target, type TargetFlags } from './target.ts';
import { decodeRate, firstTokenMs, type StreamTrace } from './trace.ts';

interface Flags extends TargetFlags {
  rounds: number;
  words: number;
  generate: number;
  bEnv?: Record<string, string>;
  calibrate?: boolean;
  out?: string;
}

interface Task {
  name: string;
  body: (seed: number) => Record<string, unknown>;
}

/** `copy`: how fast text comes that can be foreseen, copied or forced by a schema, and text that cannot. */
export function copyCommand(deps: BenchDeps): Command {
  const command = new Command('copy').description('decode speed of copied text, schema-forced text and plain text');
  return addTargetFlags(command, deps)
    .option('--rounds <number>', 'repetitions of each side', positiveInteger, 3)
    .option('--words <number>', 'length of the text to copy', positiveInteger, 120)
    .option('--generate <number>', 'most tokens of an answer', positiveInteger, 192)
    .option(
      '--b-env <NAME=VALUE>',
      'how the second server differs; can be repeated; left out: HEARTH_DRAFTS=off',
      variable,
    )
    .option('--calibrate', 'let the first server calibrate the model before it is measured')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('copy', flags.out);
      const wish = { parallel: 1, contextTokens: 2048 };
      const targets: Target[] = [];
      try {
        const variables = flags.calibrate ? { HEARTH_CALIBRATE: 'on' } : {};
        const first = await openTarget(deps, flags, { ...wish, variables });
        targets.push(first);
        if (flags.calibrate) report.note(`costs by tokens a step: ${await calibrationOf(first)}`);
        // A server that runs already has no second one to be compared with.
        if (flags.url === undefined) {
          targets.push(await openTarget(deps, flags, { ...wish, variables: flags.bEnv ?? { HEARTH_DRAFTS: 'off' } }));
        }
        const rows: Cell[][] = [];
        const raw: unknown[] = [];
        let seed = firstSeed(Date.now());
        for (const task of tasks(flags)) {
          deps.progress(task.name);
          const refusal = (await ask(targets[0]!, task, seed++)).failure;
          if (refusal !== null) {
            report.note(`${task.name} is left out, the server refuses it: ${refusal}`);
            continue;
          }
          for (const target of targets.slice(1)) await ask(target, task, seed++);
          const guessesBefore = await guessesOf(targets[0]!);
          const firstSeedOfTask = seed;
          seed += flags.rounds;
          const results = await alternate(targets, flags.rounds, (target, round) =>
            ask(target, task, firstSeedOfTask + round),
          );
          const rates: (Summary | null)[] = targets.map((target) => summarize(results.get(target)!.map(decodeRate)));
          const perChunk = targets.map((target) => summarize(results.get(target)!.map(tokensPerChunk)));
          const ratio = targets.length > 1 ? [ratioOf(rates[0]!, rates[1]!)] : [];
          const guesses = difference(await guessesOf(targets[0]!), guessesBefore);
          rows.push([task.name, ...rates, ...ratio, ...perChunk, ...shareOf(guesses)]);
          raw.push({ task: task.name, runs: targets.map((target) => results.get(target)!.map(figures)) });
        }
        const names = targets.length > 1 ? ['A', 'B'] : ['A'];
        const columns = [
          'task',
          ...names.map((name) => `${name} tok/s`),
          ...(targets.length > 1 ? ['A/B'] : []),
          ...names.map((name) => `${name} tokens/chunk`),
          'A guesses',
          'accepted',
        ];
        report.table('Decode at one stream: median of the rounds (min-max)', columns, rows);
        report.keep('runs', raw);
        report.write();
      } finally {
        for (const target of targets) await target.close();
      }
    });
}

/** Waits until the server has calibrated its model, which it does when it was idle for five seconds. */
async function calibrationOf(target: Target): Promise<string> {
  for (let second = 0; second < 120; second++) {
    const { body } = await sendJson(`${target.baseUrl}/models/${encodeURIComponent(target.model)}`, 'GET');
    const { calibration } = body as { calibration?: { cost_of_tokens?: number[] } | null };
    if (calibration) return (calibration.cost_of_tokens ?? []).join(' ');
    await setTimeout(1_000);
  }
  throw new Error('the server did not calibrate its model within two minutes');
}

function tasks(flags: Flags): Task[] {
  const chat = (content: string, more: Record<string, unknown>) => ({
    messages: [{ role: 'user', content }],
    max_tokens: flags.generate,
    ...more,
  });
  return [
    {
      name: 'copy, greedy',
      body: (seed) =>
        chat(`Repeat this text word for word, and nothing else:\n\n${uniqueSentences(flags.words, seed)}`, {
          temperature: 0,
        }),
    },
    {
      name: 'JSON schema, greedy',
      body: (seed) =>
        chat(`Invent five people for a test, number ${seed}. Answer in JSON.`, {
          temperature: 0,
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'people', strict: true, schema: peopleSchema },
          },
        }),
    },
    {
      // High temperature and free text: what a draft can only lose.
      name: 'no repetition, sampled',
      body: (seed) => chat(`Write about ${uniqueWords(6, seed)}.`, { temperature: 1, seed: seed % 100_000 }),
    },
  ];
}

const personSchema = {
  type: 'object',
  properties: {
    first_name: { type: 'string', maxLength: 20 },
    family_name: { type: 'string', maxLength: 20 },
    profession: { enum: ['carpenter', 'physician', 'librarian', 'gardener'] },
    years_of_experience: { type: 'integer', minimum: 0, maximum: 60 },
    is_available: { type: 'boolean' },
  },
  required: ['first_name', 'family_name', 'profession', 'years_of_experience', 'is_available'],
  additionalProperties: false,
};

const peopleSchema = {
  type: 'object',
  properties: { people: { type: 'array', items: personSchema, minItems: 5, maxItems: 5 } },
  required: ['people'],
  additionalProperties: false,
};

function ask(target: Target, task: Task, seed: number): Promise<StreamTrace> {
  return streamAnswer({
    baseUrl: target.baseUrl,
    endpoint: 'chat/completions',
    body: { model: target.model, ...task.body(seed) },
  });
}

interface Guesses {
  accepted: number;
  rejected: number;
}

/** Guesses that our server counts in its metrics; zeros for others. */
async function guessesOf(target: Target): Promise<Guesses> {
  const response = await fetch(`${target.baseUrl}/metrics`).catch(() => null);
  const text = response?.ok ? await response.text() : '';
  const count = (result: string) =>
    [...text.matchAll(new RegExp(`^hearth_engine_draft_tokens_total\\{.*result="${result}".*\\} (\\d+)`, 'gm'))].reduce(
      (sum, match) => sum + Number(match[1]),
      0,
    );
  return { accepted: count('accepted'), rejected: count('rejected') };
}

function difference(after: Guesses, before: Guesses): Guesses {
  return { accepted: after.accepted - before.accepted, rejected: after.rejected - before.rejected };
}

function shareOf({ accepted, rejected }: Guesses): Cell[] {
  const made = accepted + rejected;
  return [String(made), made === 0 ? '-' : `${Math.round((accepted / made) * 100)} %`];
}

/** More than 1 where several tokens come in one chunk. */
function tokensPerChunk(trace: StreamTrace): number | null {
  const chunks = trace.tokenTimesMs.length;
  return trace.completionTokens === null || chunks === 0 ? null : trace.completionTokens / chunks;
}

function figures(trace: StreamTrace) {
  return {
    tokensPerSecond: decodeRate(trace),
    ttftMs: firstTokenMs(trace),
    completionTokens: trace.completionTokens,
    text: trace.text.slice(0, 400),
    failure: trace.failure,
  };
}
