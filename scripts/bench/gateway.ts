import { type ChildProcess, fork } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { recordStream } from './client.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger, positiveNumber } from './flags.ts';
import type { UpstreamReady, UpstreamTask } from './gateway-upstream.ts';
import { processorMsOf, residentBytesOf } from './processes.ts';
import type { Cell } from './report.ts';
import { alternate } from './rounds.ts';
import { type BenchServer, startServer } from './server.ts';
import { quantile, summarize } from './statistics.ts';
import { watchProcessor } from './steadiness.ts';
import { withTemporaryData } from './target.ts';

interface Flags {
  rate: number;
  streamRate: number;
  seconds: number;
  rounds: number;
  latency: number;
  pace: number;
  streams: number;
  chunks: number;
  out?: string;
}

/** A way of a request: straight to the service, or through the server, in a dialect and to a model. */
interface Way {
  name: string;
  url: string;
  model: string;
  /** The process that passes requests on, whose time is measured; null: they go straight to the service. */
  pid: number | null;
}

/** What one way took in one round, in milliseconds. */
interface Latencies {
  p50: number;
  p99: number;
  /** Of the requests alone beside which the processor was not slower than usual. */
  steadyP99: number;
  /** Share of the time in which it was, 0 to 1. */
  slowShare: number;
  failures: number;
  /** Processor time of whoever passes it on, in microseconds for each request; null: nobody does. */
  processorUs: number | null;
}

/** Of each way through the server, at the rate of the bench. */
const warmSeconds = 6;

const key = 'bench-client-key';
const headers = { authorization: `Bearer ${key}`, 'anthropic-version': '2023-06-01' };

/** `gateway`: what the server adds to requests that it sends on. */
export function gatewayCommand(deps: BenchDeps): Command {
  return new Command('gateway')
    .description('what the server adds to requests to a service with a fixed latency')
    .option('--rate <number>', 'requests a second, begun whether or not earlier ones have ended', positiveNumber, 200)
    .option('--stream-rate <number>', 'streams a second, for the first token', positiveNumber, 50)
    .option('--seconds <number>', 'length of a round of each way', positiveNumber, 8)
    .option('--rounds <number>', 'rounds', positiveInteger, 3)
    .option('--latency <ms>', 'of the service, to its head and first chunk', positiveNumber, 20)
    .option('--pace <ms>', 'between two chunks', positiveNumber, 10)
    .option('--streams <number>', 'streams at once, for the cost of a chunk', positiveInteger, 8)
    .option('--chunks <number>', 'chunks of each of them', positiveInteger, 1_000)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('gateway', flags.out);
      const task: UpstreamTask = { latencyMs: flags.latency, paceMs: flags.pace };
      const upstream = await startBeside('gateway-upstream.ts', JSON.stringify(task));
      const bare = await startBeside('gateway-bare.ts', upstream.baseUrl);
      const server = await withTemporaryData(async (dataFolder) => {
        const configFile = join(dataFolder, 'bench.yaml');
        await writeFile(configFile, stringify(configOf(upstream.baseUrl)));
        const variables = { HEARTH_CONFIG: configFile, HEARTH_API_KEY: key };
        return startServer(deps, { modelFile: null, dataFolder, variables });
      });
      try {
        const idleBytes = residentBytesOf(server.pid);
        const ways = waysOf(upstream.baseUrl, server, { baseUrl: bare.baseUrl, pid: bare.process.pid! });
        deps.progress('warming up');
        // Until what is compiled last is: the first thousands of requests take longer than all others.
        for (const way of Object.values(ways)) {
          const seconds = way.pid === server.pid ? warmSeconds : 1;
          await load(way, { ...flags, rate: 100, seconds: 1 }, false);
          await load(way, { ...flags, seconds }, false);
        }

        const latencyWays = [
          ways.directOpenai,
          ways.bare,
          ways.openai,
          ways.directAnthropic,
          ways.anthropic,
          ways.translated,
        ];
        // What is translated is asked for as a stream, which takes the time of its chunks.
        const whole = await alternate(
          latencyWays.filter((way) => way !== ways.translated),
          flags.rounds,
          (way, round) => {
            deps.progress(`round ${round + 1} of ${flags.rounds}: ${way.name}, whole`);
            return load(way, flags, false);
          },
        );
        const first = await alternate(latencyWays, flags.rounds, (way, round) => {
          deps.progress(`round ${round + 1} of ${flags.rounds}: ${way.name}, first token`);
          return load(way, { ...flags, rate: flags.streamRate }, true);
        });
        const pairs = [
          [ways.bare, ways.directOpenai],
          [ways.openai, ways.directOpenai],
          [ways.anthropic, ways.directAnthropic],
          [ways.translated, ways.directOpenai],
        ] as const;
        for (const [title, found, rate] of [
          ['Whole answers', whole, flags.rate],
          ['First token of streams', first, flags.streamRate],
        ] as const) {
          report.table(
            `${title} at ${rate} a second over a latency of ${flags.latency} ms: milliseconds, median of the rounds (min-max)`,
            ['way', 'direct p50', 'p50', 'added p50', 'direct p99', 'p99', 'added p99', 'added p99, steady'],
            pairs
              .filter(([way]) => found.has(way))
              .map(([way, direct]) => addedRow(way.name, found.get(way)!, found.get(direct)!)),
          );
        }
        const failures = [...whole, ...first].flatMap(([, rounds]) => rounds.map((one) => one.failures));
        report.note(`${failures.reduce((sum, count) => sum + count, 0)} requests failed`);
        const slow = summarize([...whole, ...first].flatMap(([, rounds]) => rounds.map((one) => one.slowShare * 100)))!;
        report.note(
          `the processor was slower than a third of its speed, or not there, in ${slow.median.toFixed(1)} % of the time ` +
            `(${slow.min.toFixed(1)}-${slow.max.toFixed(1)}); "steady" leaves out what was asked meanwhile`,
        );

        report.table(
          `Processor time of the server for a whole answer at ${flags.rate} a second: µs, median of the rounds (min-max)`,
          ['way', 'µs per request'],
          pairs
            .filter(([way]) => whole.has(way))
            .map(([way]): Cell[] => [way.name, summarize(whole.get(way)!.map(({ processorUs }) => processorUs ?? 0))]),
        );

        // The first of them compile the code; their figures are thrown away.
        for (const way of [ways.bare, ways.openai, ways.translatedBack]) {
          await chunkCost(way, { ...flags, chunks: Math.ceil(flags.chunks / 2) });
        }
        const chunkWays = [ways.bare, ways.openai, ways.anthropic, ways.translated, ways.translatedBack];
        const costs = await alternate(chunkWays, flags.rounds, (way, round) => {
          deps.progress(`round ${round + 1} of ${flags.rounds}: ${way.name}, cost of chunks`);
          return chunkCost(way, flags);
        });
        report.table(
          `Processor time of the server for a chunk, ${flags.streams} streams, one chunk each ${flags.pace} ms: µs`,
          ['way', 'µs per chunk'],
          chunkWays.map((way): Cell[] => [way.name, summarize(costs.get(way)!)]),
        );
        const loadedBytes = residentBytesOf(server.pid);
        const mib = (bytes: number | null) => (bytes === null ? null : bytes / 2 ** 20);
        report.table(
          'Memory of the server without a model: MiB',
          ['after start', 'after the bench'],
          [[mib(idleBytes)?.toFixed(0) ?? '-', mib(loadedBytes)]],
        );
        report.keep('whole', named(whole));
        report.keep('first', named(first));
        report.keep('costs', named(costs));
        report.write();
      } finally {
        await server.close();
        upstream.process.kill();
        bare.process.kill();
      }
    });
}

/** Everything on that a request passes: keys, limits, prices, budgets. */
function configOf(upstream: string): object {
  const model = {
    id: 'bench',
    context_window: 100_000,
    max_output_tokens: 10_000,
    pricing: { input_per_million: '1', output_per_million: '2' },
  };
  const common = {
    api_key: 'bench-provider-key',
    rate_limits: { requests_per_minute: 10_000_000, tokens_per_minute: 1e12 },
  };
  return {
    models: { builtin: false },
    budgets: { daily: '1000000' },
    providers: {
      openai: { ...common, type: 'openai', base_url: `${upstream}/v1`, models: [model] },
      claude: { ...common, type: 'anthropic', base_url: upstream, models: [{ ...model, id: 'bench-claude' }] },
    },
  };
}

type Relay = Pick<BenchServer, 'baseUrl' | 'pid'>;

function waysOf(upstream: string, server: Relay, bare: Relay) {
  const chat = '/v1/chat/completions';
  const messages = '/v1/messages';
  const { baseUrl, pid } = server;
  return {
    directOpenai: { name: 'direct, OpenAI', url: `${upstream}${chat}`, model: 'bench', pid: null },
    directAnthropic: { name: 'direct, Anthropic', url: `${upstream}${messages}`, model: 'bench', pid: null },
    bare: { name: 'a bare relay', url: `${bare.baseUrl}${chat}`, model: 'bench', pid: bare.pid },
    openai: { name: 'OpenAI, relayed', url: `${baseUrl}${chat}`, model: 'bench', pid },
    anthropic: { name: 'Anthropic, relayed', url: `${baseUrl}${messages}`, model: 'bench-claude', pid },
    translated: { name: 'Anthropic to OpenAI', url: `${baseUrl}${messages}`, model: 'bench', pid },
    translatedBack: { name: 'OpenAI to Anthropic', url: `${baseUrl}${chat}`, model: 'bench-claude', pid },
  } satisfies Record<string, Way>;
}

const bodyOf = ({ model }: Way, stream: boolean, tokens: number) => ({
  model,
  stream,
  max_tokens: tokens,
  messages: [{ role: 'user', content: 'Say something about the sea, and about what lies behind it.' }],
});

/** Begins requests at a fixed rate. Of a stream the first token counts, of a whole answer its end. */
async function load(way: Way, { rate, seconds }: Pick<Flags, 'rate' | 'seconds'>, stream: boolean): Promise<Latencies> {
  const count = Math.round(rate * seconds);
  const processorMs = way.pid === null ? null : processorMsOf(way.pid);
  const beganMs = performance.now();
  const running: Promise<Timed | null>[] = [];
  const watched = watchProcessor();
  for (let index = 0; index < count; index++) {
    const waitMs = beganMs + (index * 1_000) / rate - performance.now();
    if (waitMs > 1) await wait(waitMs);
    running.push(one(way, stream));
  }
  const all = (await Promise.all(running)).filter((one) => one !== null);
  const slow = watched();
  const times = all.map(({ tookMs }) => tookMs);
  const steady = all.filter(({ startMs, tookMs }) => !slow.touch(startMs, startMs + tookMs));
  return {
    p50: quantile(times, 0.5) ?? Number.NaN,
    p99: quantile(times, 0.99) ?? Number.NaN,
    steadyP99:
      quantile(
        steady.map(({ tookMs }) => tookMs),
        0.99,
      ) ?? Number.NaN,
    slowShare: slow.share,
    failures: count - times.length,
    processorUs: processorMs === null ? null : ((processorMsOf(way.pid!) - processorMs) * 1_000) / count,
  };
}

interface Timed {
  startMs: number;
  tookMs: number;
}

async function one(way: Way, stream: boolean): Promise<Timed | null> {
  const { startMs, endMs, chunks, failure } = await recordStream({
    url: way.url,
    body: bodyOf(way, stream, stream ? 8 : 50),
    headers,
  });
  if (failure !== null) return null;
  if (!stream) return { startMs, tookMs: endMs - startMs };
  const first = chunks.find(({ bytes }) => Buffer.from(bytes).includes(' token'));
  return first === undefined ? null : { startMs, tookMs: first.atMs - startMs };
}

/** Processor time of whoever passes it on for one chunk, in microseconds: what many long streams cost over their chunks. */
async function chunkCost(way: Way, { streams, chunks }: Pick<Flags, 'streams' | 'chunks'>): Promise<number> {
  const pid = way.pid!;
  const beforeMs = processorMsOf(pid);
  const all = await Promise.all(
    Array.from({ length: streams }, () => recordStream({ url: way.url, body: bodyOf(way, true, chunks), headers })),
  );
  const failure = all.find((stream) => stream.failure !== null)?.failure;
  if (failure) throw new Error(`${way.name}: ${failure}`);
  return ((processorMsOf(pid) - beforeMs) * 1_000) / (streams * chunks);
}

function addedRow(name: string, own: readonly Latencies[], direct: readonly Latencies[]): Cell[] {
  const added = (figure: 'p50' | 'p99' | 'steadyP99') => own.map((one, round) => one[figure] - direct[round]![figure]);
  const of = (rounds: readonly Latencies[], figure: 'p50' | 'p99') => summarize(rounds.map((one) => one[figure]));
  return [
    name,
    of(direct, 'p50'),
    of(own, 'p50'),
    summarize(added('p50')),
    of(direct, 'p99'),
    of(own, 'p99'),
    summarize(added('p99')),
    summarize(added('steadyP99')),
  ];
}

const named = <Result>(found: ReadonlyMap<Way, Result[]>) =>
  Object.fromEntries([...found].map(([{ name }, rounds]) => [name, rounds]));

/** Starts one of the bench's own servers. */
function startBeside(file: string, argument: string): Promise<{ baseUrl: string; process: ChildProcess }> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [argument]);
    child.once('message', (message) =>
      resolve({ baseUrl: `http://127.0.0.1:${(message as UpstreamReady).port}`, process: child }),
    );
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the service ended before it listened')));
  });
}
