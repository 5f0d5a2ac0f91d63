import { Command } from 'commander';
import { streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { firstSeed, uniqueWords } from './prompts.ts';
import { openaiSampling } from './sampling.ts';
import { quantile, ratioOf, summarize } from './statistics.ts';
import { addTargetFlags, openTarget, type Target, type TargetFlags } from './target.ts';
import { firstTokenMs, gapsMs, gapsWithin, type StreamTrace } from './trace.ts';

interface Flags extends TargetFlags {
  words: number;
  rounds: number;
  context: number;
  out?: string;
}

interface Round {
  /** First token of the long prompt without and with a neighbour. */
  aloneTtftMs: number | null;
  besideTtftMs: number | null;
  /** The neighbour's gaps before the long prompt came, and while it was evaluated. */
  quietGapsMs: number[];
  besideGapsMs: number[];
  longPromptTokens: number | null;
  /** Answers that the neighbour had to begin while the long prompt was evaluated; its first tokens are no gaps. */
  neighbourRestarts: number;
}

/** Chunks that the neighbour has received before the long prompt is sent. */
const neighbourHeadStart = 16;
const neighbourTokens = 512;
/** Answers that may end before the head start; a model that only says "Yes." is no neighbour. */
const mostShortAnswers = 20;

/** `gap`: how long a streaming neighbour waits while a long prompt is evaluated, and what that costs the long prompt. */
export function gapCommand(deps: BenchDeps): Command {
  const command = new Command('gap').description('gaps of a streaming neighbour while a long prompt is evaluated');
  return addTargetFlags(command, deps)
    .option('--words <number>', 'length of the long prompt', positiveInteger, 1500)
    .option('--rounds <number>', 'repetitions, each alone and beside the neighbour', positiveInteger, 3)
    .option('--context <tokens>', 'context per slot of a server of the bench', positiveInteger, 4096)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('gap', flags.out);
      const target = await openTarget(deps, flags, { parallel: 2, contextTokens: flags.context });
      try {
        let seed = firstSeed(Date.now());
        // The first request of a server loads and warms; its figures are thrown away.
        await ask(target, 'Hello', 8, seed++);
        const rounds: Round[] = [];
        for (let round = 0; round < flags.rounds; round++) {
          deps.progress(`round ${round + 1} of ${flags.rounds}`);
          const alone = await long(target, flags.words, seed++);
          const beside = await longBesideNeighbour(target, flags.words, seed++, seed++);
          rounds.push({ aloneTtftMs: firstTokenMs(alone), longPromptTokens: alone.promptTokens, ...beside });
        }
        const alone = summarize(rounds.map((round) => round.aloneTtftMs));
        const beside = summarize(rounds.map((round) => round.besideTtftMs));
        const gaps = rounds.flatMap((round) => round.besideGapsMs);
        const promptTokens = rounds[0]?.longPromptTokens ?? null;
        report.table(
          `A neighbour streams while ${flags.words} words (${promptTokens ?? 'unknown'} tokens) are evaluated`,
          ['figure', 'ms'],
          [
            ['neighbour, longest gap of each round', summarize(rounds.map((round) => quantile(round.besideGapsMs, 1)))],
            ['neighbour, p99 gap of all rounds', quantile(gaps, 0.99)],
            ['neighbour, p50 gap of all rounds', quantile(gaps, 0.5)],
            ['neighbour, p50 gap before', summarize(rounds.map((round) => quantile(round.quietGapsMs, 0.5)))],
            ['long prompt, TTFT alone', alone],
            ['long prompt, TTFT beside the neighbour', beside],
            ['long prompt, beside/alone (ratio)', ratioOf(beside, alone)],
          ],
        );
        report.note(`${gaps.length} gaps were seen; fewer than 100 make p99 the longest one`);
        const restarts = rounds.reduce((sum, round) => sum + round.neighbourRestarts, 0);
        if (restarts > 0) report.note(`the neighbour's answer ended ${restarts} times and was asked for again`);
        report.keep('rounds', rounds);
        report.write();
      } finally {
        await target.close();
      }
    });
}

async function longBesideNeighbour(target: Target, words: number, neighbourSeed: number, longSeed: number) {
  const leaving = new AbortController();
  const traces: StreamTrace[] = [];
  const streaming = Promise.withResolvers<void>();
  let isStreaming = false;
  const neighbour = (async () => {
    for (let turn = 0; !leaving.signal.aborted; turn++) {
      // Another text each time: an answer that ended at once would otherwise do so for ever.
      const prompt = `Tell a long story. ${uniqueWords(20, neighbourSeed + turn)}`;
      const onChunk = (count: number) => {
        if (count < neighbourHeadStart) return;
        isStreaming = true;
        streaming.resolve();
      };
      const trace = await ask(target, prompt, neighbourTokens, neighbourSeed + turn, leaving.signal, onChunk);
      traces.push(trace);
      if (leaving.signal.aborted) return;
      // Without this a server that refuses would be asked as fast as the loop turns.
      if (trace.tokenTimesMs.length === 0 || (!isStreaming && turn >= mostShortAnswers)) {
        throw new Error(`the neighbour gets no answer long enough: ${trace.failure ?? 'it ends by itself'}`);
      }
    }
  })();
  // Awaited below; until then its failure must not count as unhandled.
  neighbour.catch(() => {});
  await Promise.race([streaming.promise, neighbour]);
  const trace = await long(target, words, longSeed);
  leaving.abort();
  await neighbour;
  const window = { fromMs: trace.startMs, toMs: trace.tokenTimesMs[0] ?? trace.endMs };
  const quiet = traces.flatMap((own) =>
    gapsMs({ ...own, tokenTimesMs: own.tokenTimesMs.filter((time) => time < window.fromMs) }),
  );
  return {
    besideTtftMs: firstTokenMs(trace),
    quietGapsMs: quiet,
    besideGapsMs: traces.flatMap((own) => gapsWithin(own, window)),
    neighbourRestarts: traces.filter((own) => own.startMs > window.fromMs && own.startMs < window.toMs).length,
  };
}

/** Tries with other words when a model has nothing to say to some. */
const mostEmptyAnswers = 3;

/** The long prompt; only its first tokens matter. Throws when it is not answered: there is nothing to measure. */
async function long(target: Target, words: number, seed: number): Promise<StreamTrace> {
  for (let attempt = 0; ; attempt++) {
    const trace = await ask(target, uniqueWords(words, seed + attempt * 1_000_003), 4, seed);
    if (trace.tokenTimesMs.length > 0) return trace;
    if (trace.failure !== null || attempt === mostEmptyAnswers) {
      throw new Error(`the long prompt got no answer: ${trace.failure ?? 'it was empty'}; try fewer --words`);
    }
  }
}

function ask(
  target: Target,
  prompt: string,
  maxTokens: number,
  seed: number,
  signal?: AbortSignal,
  onChunk?: (count: number) => void,
): Promise<StreamTrace> {
  return streamAnswer({
    baseUrl: target.baseUrl,
    endpoint: 'chat/completions',
    body: {
      model: target.model,
      messages: [{ role: 'user', content: prompt }],
      max_tokens: maxTokens,
      ...openaiSampling(seed % 1000),
    },
    ...(signal && { signal }),
    ...(onChunk && { onChunk }),
  });
}
