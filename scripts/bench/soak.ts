import { Command } from 'commander';
import { streamAnswer } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger, positiveNumber } from './flags.ts';
import { descriptorsOf, residentBytesOf, workersOf } from './processes.ts';
import { firstSeed, seededRandom, uniqueWords } from './prompts.ts';
import type { Cell } from './report.ts';
import { startServer } from './server.ts';
import { growth, type Sample } from './soak-samples.ts';
import { summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';
import { firstTokenMs, gapQuantile, type StreamTrace } from './trace.ts';

interface Flags {
  model?: string;
  threads: number;
  minutes: number;
  clients: number;
  out?: string;
}

const sampleEveryMs = 2_000;
const longestMinutes = 240;
/** Below this a slope per hour is mostly heaps that still fill up. */
const tellingMinutes = 20;
const mostClients = 64;

/** `soak`: a mixed load for some minutes; does memory or the number of open files grow? */
export function soakCommand(deps: BenchDeps): Command {
  const command = new Command('soak').description('memory and open files of server and worker under a mixed load');
  return addModelFlags(command, deps)
    .option('--minutes <number>', 'how long', positiveNumber, 10)
    .option('--clients <number>', 'clients that ask one request after the other', positiveInteger, 4)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const minutes = Math.min(flags.minutes, longestMinutes);
      const clients = Math.min(flags.clients, mostClients);
      const report = deps.report('soak', flags.out);
      const server = await withTemporaryData((dataFolder) =>
        startServer(deps, { ...ownServer(flags), dataFolder, parallel: 4, contextTokens: 2048 }),
      );
      try {
        const idleBytes = residentBytesOf(server.pid);
        await server.load();
        const samples: Sample[] = [];
        const startMs = performance.now();
        const sample = () => samples.push(takeSample(server.pid, performance.now() - startMs));
        sample();
        const sampling = setInterval(sample, sampleEveryMs);
        const untilMs = startMs + minutes * 60_000;
        const outcomes = await Promise.all(
          Array.from({ length: clients }, (_, client) => load(server, client, untilMs)),
        );
        clearInterval(sampling);
        sample();

        const all = outcomes.flat();
        const answered = all.filter(({ kind, trace }) => kind !== 'cancelled' && trace.failure === null);
        const failed = all.filter(({ kind, trace }) => kind !== 'cancelled' && trace.failure !== null);
        const series: readonly [string, (sample: Sample) => number | null][] = [
          ['server RSS MiB', (found) => mib(found.serverBytes)],
          ['worker RSS MiB', (found) => mib(found.workerBytes)],
          ['server descriptors', (found) => found.serverDescriptors],
          ['worker descriptors', (found) => found.workerDescriptors],
        ];
        report.table(
          `${clients} clients for ${minutes} minutes; growth per hour by least squares after the first fifth`,
          ['figure', 'first', 'last', 'median (min-max)', 'growth/h'],
          series.map(([title, figure]): Cell[] => [
            title,
            figure(samples[0]!),
            figure(samples.at(-1)!),
            summarize(samples.map(figure)),
            growth(samples, figure),
          ]),
        );
        report.table(
          'Load',
          ['figure', 'value'],
          [
            ['server RSS MiB before the model was loaded', mib(idleBytes)],
            ['answers', answered.length],
            ['cancelled by the client', all.length - answered.length - failed.length],
            ['failures', failed.length],
            ['TTFT ms', summarize(answered.map(({ trace }) => firstTokenMs(trace)))],
            [
              'gap p99 ms',
              gapQuantile(
                answered.map(({ trace }) => trace),
                0.99,
              ),
            ],
            ['tokens', answered.reduce((sum, { trace }) => sum + (trace.completionTokens ?? 0), 0)],
          ],
        );
        for (const { trace } of failed.slice(0, 3)) report.note(`failure: ${trace.failure}`);
        if (minutes < tellingMinutes)
          report.note(`growth per hour needs ${tellingMinutes} minutes or more to mean anything`);
        report.keep('samples', samples);
        report.write();
      } finally {
        await server.close();
      }
    });
}

type Outcome = { kind: 'short' | 'long' | 'cancelled'; trace: StreamTrace };

/** One client: short chats, now and then a long prompt, now and then one that leaves in mid-answer. */
async function load(server: { baseUrl: string; model: string }, client: number, untilMs: number): Promise<Outcome[]> {
  const random = seededRandom(client + 1);
  const outcomes: Outcome[] = [];
  let seed = firstSeed(Date.now()) + client * 100_000;
  let failuresInARow = 0;
  // A server that refuses everything ends the load instead of being asked as fast as the loop turns.
  while (performance.now() < untilMs && failuresInARow < 5) {
    const dice = random();
    const kind = dice < 0.15 ? 'cancelled' : dice < 0.3 ? 'long' : 'short';
    const leaving = new AbortController();
    const leaveAfter = 2 + Math.floor(random() * 12);
    const trace = await streamAnswer({
      baseUrl: server.baseUrl,
      endpoint: 'chat/completions',
      body: {
        model: server.model,
        messages: [{ role: 'user', content: uniqueWords(kind === 'long' ? 250 : 20, seed++) }],
        max_tokens: 8 + Math.floor(random() * 56),
        temperature: 0.8,
      },
      signal: leaving.signal,
      onChunk: (count) => {
        if (kind === 'cancelled' && count >= leaveAfter) leaving.abort();
      },
    });
    outcomes.push({ kind, trace });
    failuresInARow = kind !== 'cancelled' && trace.failure !== null ? failuresInARow + 1 : 0;
  }
  return outcomes;
}

function takeSample(serverPid: number, atMs: number): Sample {
  const [worker] = workersOf(serverPid);
  return {
    atMs,
    serverBytes: residentBytesOf(serverPid),
    serverDescriptors: descriptorsOf(serverPid),
    workerBytes: worker === undefined ? null : residentBytesOf(worker),
    workerDescriptors: worker === undefined ? null : descriptorsOf(worker),
  };
}

function mib(bytes: number | null): number | null {
  return bytes === null ? null : bytes / 2 ** 20;
}
