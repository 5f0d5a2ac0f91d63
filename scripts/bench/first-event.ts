import { Command } from 'commander';
import { recordStream } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { type EarlyDialect, earlyDialects, longestSilenceMs, matchMs } from './first-event-dialects.ts';
import { positiveInteger } from './flags.ts';
import { firstSeed, uniqueWords } from './prompts.ts';
import { alternate } from './rounds.ts';
import { type BenchServer, startServer } from './server.ts';
import { summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';

interface Flags {
  model?: string;
  threads: number;
  words: number;
  rounds: number;
  out?: string;
}

/** Milliseconds after the request. */
interface Measured {
  firstByteMs: number;
  firstPingMs: number | null;
  firstTokenMs: number;
  /** Longest time without a byte, until the first token. */
  silenceMs: number;
}

/** `first-event`: how soon each dialect's stream says something while the model loads and reads a long prompt. */
export function firstEventCommand(deps: BenchDeps): Command {
  const command = new Command('first-event').description('first byte of a stream whose model must load and read');
  return addModelFlags(command, deps)
    .option('--words <number>', 'length of the prompt', positiveInteger, 1_000)
    .option('--rounds <number>', 'requests in each dialect, each after an unload', positiveInteger, 2)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('first-event', flags.out);
      const server = await withTemporaryData((dataFolder) =>
        startServer(deps, {
          ...ownServer(flags),
          dataFolder,
          parallel: 1,
          contextTokens: Math.ceil((2.5 * flags.words + 512) / 256) * 256,
        }),
      );
      try {
        await server.load();
        let seed = firstSeed(Date.now());
        const found = await alternate(earlyDialects, flags.rounds, async (dialect, round) => {
          deps.progress(`round ${round + 1} of ${flags.rounds}: ${dialect.name}`);
          await server.unload();
          return measure(server, dialect, uniqueWords(flags.words, seed++));
        });
        const of = (dialect: EarlyDialect, figure: (one: Measured) => number | null) =>
          summarize(found.get(dialect)!.map(figure));
        report.table(
          `The model loads and reads ${flags.words} words: milliseconds after the request, median of the rounds (min-max)`,
          ['stream', 'first byte', 'first ping', 'first token', 'longest silence before it'],
          earlyDialects.map((dialect) => [
            dialect.name,
            of(dialect, ({ firstByteMs }) => firstByteMs),
            of(dialect, ({ firstPingMs }) => firstPingMs),
            of(dialect, ({ firstTokenMs }) => firstTokenMs),
            of(dialect, ({ silenceMs }) => silenceMs),
          ]),
        );
        report.note('the first byte is that of the status line; -: nothing of the kind came');
        report.keep(
          'rounds',
          earlyDialects.map((dialect) => ({ stream: dialect.name, rounds: found.get(dialect) })),
        );
        report.write();
      } finally {
        await server.close();
      }
    });
}

async function measure(server: BenchServer, dialect: EarlyDialect, prompt: string): Promise<Measured> {
  const { startMs, chunks, failure } = await recordStream({
    url: `${server.baseUrl}${dialect.path}`,
    body: dialect.body(server.model, prompt),
    ...(dialect.headers && { headers: dialect.headers }),
  });
  const tokenMs = matchMs(chunks, dialect.token);
  const [first] = chunks;
  if (failure !== null || !first || tokenMs === null) {
    throw new Error(`${dialect.name}: ${failure ?? 'no token came; try other --words'}`);
  }
  const pingMs = matchMs(chunks, dialect.ping);
  return {
    firstByteMs: first.atMs - startMs,
    firstPingMs: pingMs === null || pingMs > tokenMs ? null : pingMs - startMs,
    firstTokenMs: tokenMs - startMs,
    silenceMs: longestSilenceMs(chunks, { fromMs: startMs, toMs: tokenMs }),
  };
}
