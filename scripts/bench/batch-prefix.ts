import { Command } from 'commander';
import { createBatch, hasEnded, waitForBatch } from './batches.ts';
import { sendJson } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { prefixWords } from './prefix.ts';
import { firstSeed, uniqueWords } from './prompts.ts';
import { alternate } from './rounds.ts';
import { type BenchServer, startServer } from './server.ts';
import { ratioOf, summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';

interface Flags {
  model?: string;
  threads: number;
  prefixTokens: number;
  answerTokens: number;
  requests: number;
  rounds: number;
  out?: string;
}

const sides = ['a batch', 'one after the other, cache_prompt: false'] as const;

/** `batch-prefix`: what a batch saves whose requests begin alike. */
export function batchPrefixCommand(deps: BenchDeps): Command {
  const command = new Command('batch-prefix').description('throughput of a batch whose requests share a prefix');
  return addModelFlags(command, deps)
    .option('--prefix-tokens <number>', 'length of the prefix', positiveInteger, 1_000)
    .option('--answer-tokens <number>', 'most tokens of an answer', positiveInteger, 16)
    .option('--requests <number>', 'requests of a batch', positiveInteger, 40)
    .option('--rounds <number>', 'repetitions, each with a prefix of its own', positiveInteger, 3)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('batch-prefix', flags.out);
      const server = await withTemporaryData((dataFolder) => startServer(deps, { ...ownServer(flags), dataFolder }));
      try {
        await server.load();
        let seed = firstSeed(Date.now());
        const words = await prefixWords(server, flags.prefixTokens, seed);
        const found = await alternate(sides, flags.rounds, async (side, round) => {
          deps.progress(`round ${round + 1} of ${flags.rounds}: ${side}`);
          seed += 10;
          const bodies = bodiesOf(server, uniqueWords(words, seed), flags);
          const tookMs = await (side === 'a batch' ? askAsBatch(server, bodies) : askInTurn(server, bodies));
          return (bodies.length * 1_000) / tookMs;
        });
        const rates = sides.map((side) => summarize(found.get(side)!));
        report.table(
          `${flags.requests} requests with one new prefix of about ${flags.prefixTokens} tokens: median of the rounds (min-max)`,
          ['side', 'requests/s'],
          sides.map((side, index) => [side, rates[index]!]),
        );
        report.table('The aim is at least 3', ['figure', 'value'], [['batch/in turn', ratioOf(rates[0]!, rates[1]!)]]);
        report.keep('requests per second', Object.fromEntries(found));
        report.write();
      } finally {
        await server.close();
      }
    });
}

function bodiesOf({ model }: BenchServer, prefix: string, { requests, answerTokens }: Flags) {
  return Array.from({ length: requests }, (_, n) => ({
    model,
    messages: [
      { role: 'system', content: prefix },
      { role: 'user', content: `What is word number ${n + 10}?` },
    ],
    max_tokens: answerTokens,
    temperature: 0,
  }));
}

/** Milliseconds from the wish for a batch to its end, the way of its file included. */
async function askAsBatch({ baseUrl }: BenchServer, bodies: readonly object[]): Promise<number> {
  const startMs = performance.now();
  const made = await createBatch(baseUrl, bodies);
  const { status, request_counts: counts } = await waitForBatch(baseUrl, made, hasEnded);
  const tookMs = performance.now() - startMs;
  if (counts.completed === bodies.length) return tookMs;
  throw new Error(`the batch is ${status}, ${counts.failed} of its requests have failed`);
}

async function askInTurn({ baseUrl }: BenchServer, bodies: readonly object[]): Promise<number> {
  const startMs = performance.now();
  for (const body of bodies) {
    const url = `${baseUrl}/v1/chat/completions`;
    const { status, body: answer } = await sendJson(url, 'POST', { ...body, cache_prompt: false });
    if (status !== 200) throw new Error(`a request failed: status ${status}: ${JSON.stringify(answer)}`);
  }
  return performance.now() - startMs;
}
