import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { firstSeed, fitTokenCost, uniqueWords, wordsFor } from './prompts.ts';
import { type BenchServer, startServer } from './server.ts';
import { quantile, ratioOf, summarize } from './statistics.ts';
import { addModelFlags, ownServer } from './target.ts';
import { failureOf, firstTokenMs, type StreamTrace } from './trace.ts';

interface Flags {
  model?: string;
  threads: number;
  prefixTokens: number;
  together: number;
  rounds: number;
  data?: string;
  out?: string;
}

/** What one phase of a round found. */
interface Phase {
  ttftMs: number | null;
  promptTokens: number;
  evaluatedTokens: number;
}

const phases = ['cold', 'warm slot', 'together', 'after unload', 'after restart'] as const;
type PhaseName = (typeof phases)[number];

/** `prefix`: what a prefix costs the first time, again, for several at once, after an unload and after a restart. */
export function prefixCommand(deps: BenchDeps): Command {
  const command = new Command('prefix').description('time to the first token with a prefix that was seen before');
  return addModelFlags(command, deps)
    .option('--prefix-tokens <number>', 'length of the prefix', positiveInteger, 2048)
    .option('--together <number>', 'requests with the same prefix at once', positiveInteger, 8)
    .option('--rounds <number>', 'repetitions, each with a prefix of its own', positiveInteger, 2)
    .option('--data <folder>', 'data folder of the server, kept; left out: a temporary one')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('prefix', flags.out);
      const dataFolder = flags.data ?? (await mkdtemp(join(tmpdir(), 'hearth-bench-')));
      const start = () =>
        startServer(deps, {
          ...ownServer(flags),
          dataFolder,
          parallel: flags.together,
          contextTokens: Math.ceil((flags.prefixTokens * 1.1 + 192) / 256) * 256,
        });
      let server = await start();
      const restart = async () => {
        await server.stop();
        server = await start();
        await server.load();
        return server;
      };
      try {
        await server.load();
        let seed = firstSeed(Date.now());
        const words = await prefixWords(server, flags.prefixTokens, seed);
        const rounds: { phases: Record<PhaseName, Phase>; sharing: number }[] = [];
        for (let round = 0; round < flags.rounds; round++) {
          deps.progress(`round ${round + 1} of ${flags.rounds}`);
          seed += 10;
          rounds.push(await measureRound(server, restart, { words, seed, together: flags.together }));
        }
        const summaryOf = (phase: PhaseName, figure: (found: Phase) => number | null) =>
          summarize(rounds.map((round) => figure(round.phases[phase])));
        const cold = summaryOf('cold', (found) => found.ttftMs);
        report.table(
          `A prefix of about ${flags.prefixTokens} tokens: median of the rounds (min-max)`,
          ['phase', 'TTFT ms', 'cold/phase', 'prompt tokens', 'evaluated'],
          phases.map((phase) => {
            const ttft = summaryOf(phase, (found) => found.ttftMs);
            const prompt = summaryOf(phase, (found) => found.promptTokens);
            return [phase, ttft, ratioOf(cold, ttft), prompt, summaryOf(phase, (found) => found.evaluatedTokens)];
          }),
        );
        const sharing = summarize(rounds.map((round) => round.sharing));
        report.table(
          `${flags.together} requests at once with one new prefix`,
          ['figure', 'value'],
          [['prompt tokens evaluated / (prefix + tails)', sharing]],
        );
        report.note('loading the model after unload and restart is not part of the TTFT');
        report.keep('rounds', rounds);
        report.write();
      } finally {
        await server.stop();
        if (flags.data === undefined) await rm(dataFolder, { recursive: true, force: true });
      }
    });
}

async function measureRound(
  first: BenchServer,
  restart: () => Promise<BenchServer>,
  options: { words: number; seed: number; together: number },
) {
  const prefix = uniqueWords(options.words, options.seed);
  // 1. The prefix is new. 2. Its slot still holds it.
  const cold = phaseOf(await askAll(first, prefix, ['What is the first word?']));
  const warm = phaseOf(await askAll(first, prefix, ['What is the second word?']));
  // 3. Another new prefix, several requests in the same moment.
  const sharedPrefix = uniqueWords(options.words, options.seed + 1);
  const tails = Array.from({ length: options.together }, (_, index) => `What is word number ${index + 10}?`);
  const traces = await askAll(first, sharedPrefix, tails);
  const together = phaseOf(traces);
  const [alone] = await askAll(first, sharedPrefix, ['']);
  const prefixTokens = alone?.promptTokens ?? 0;
  const tailTokens = traces.reduce((sum, trace) => sum + Math.max(0, (trace.promptTokens ?? 0) - prefixTokens), 0);
  // 4. The process that held the first prefix is gone. 5. So is the server.
  await first.unload();
  await first.load();
  const unloaded = phaseOf(await askAll(first, prefix, ['What is the third word?']));
  const restarted = phaseOf(await askAll(await restart(), prefix, ['What is the fourth word?']));
  return {
    phases: { cold, 'warm slot': warm, together, 'after unload': unloaded, 'after restart': restarted },
    sharing: together.evaluatedTokens / (prefixTokens + tailTokens),
  };
}

/** Asks one question for each tail about the same prefix, all at once. Throws when one is not answered. */
async function askAll(server: BenchServer, prefix: string, tails: readonly string[]): Promise<StreamTrace[]> {
  const traces = await Promise.all(
    tails.map((tail) =>
      streamAnswer({
        baseUrl: server.baseUrl,
        endpoint: 'chat/completions',
        body: {
          model: server.model,
          messages: [{ role: 'user', content: `${prefix}\n\n${tail}` }],
          max_tokens: 4,
          temperature: 0,
        },
      }),
    ),
  );
  const failure = failureOf(traces);
  if (failure !== null) throw new Error(`a request failed: ${failure}`);
  return traces;
}

function phaseOf(traces: readonly StreamTrace[]): Phase {
  const sum = (count: (trace: StreamTrace) => number | null) =>
    traces.reduce((total, trace) => total + (count(trace) ?? 0), 0);
  const promptTokens = sum((trace) => trace.promptTokens);
  return {
    ttftMs: quantile(
      traces.map(firstTokenMs).filter((value) => value !== null),
      0.5,
    ),
    promptTokens,
    evaluatedTokens: promptTokens - sum((trace) => trace.cachedPromptTokens),
  };
}

/** How many words make a prefix of that many tokens. */
export async function prefixWords(server: BenchServer, tokens: number, seed: number): Promise<number> {
  const points: { words: number; tokens: number }[] = [];
  for (const [index, words] of [20, 120].entries()) {
    const [trace] = await askAll(server, uniqueWords(words, seed + index), ['']);
    points.push({ words, tokens: trace?.promptTokens ?? 0 });
  }
  return wordsFor(tokens, fitTokenCost(points[0]!, points[1]!));
}
