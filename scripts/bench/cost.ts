import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { streamAnswer } from './client.ts';
import type { SenderResult, SenderTask } from './cost-sender.ts';
import type { BenchDeps } from './deps.ts';
import { integerList, positiveInteger } from './flags.ts';
import { processorMsOf, voluntarySwitchesOf, workersOf } from './processes.ts';
import { firstSeed, uniqueWords } from './prompts.ts';
import { type BenchServer, startServer } from './server.ts';
import { summarize } from './statistics.ts';
import { addModelFlags, ownServer, withTemporaryData } from './target.ts';

interface Flags {
  model?: string;
  threads: number;
  streams: number[];
  rounds: number;
  tokens: number;
  out?: string;
}

/** Sending is a small difference of two larger times: few steps say nothing. */
const sendingMs = 6_000;
const leastSteps = 400;

interface Round {
  tokens: number;
  steps: number;
  /** Processor time of the server process per token, in microseconds. */
  serverUs: number;
  /** The same of the worker for its messages alone, from a process that does nothing else. */
  sendingUs: number;
  /** How often a step made the server and the worker wake up. */
  serverWakes: number;
  workerWakes: number;
  stepMs: number;
}

/** `cost`: processor time that a token costs on its way from the batch loop to the client, and how often it wakes whom. */
export function costCommand(deps: BenchDeps): Command {
  const command = new Command('cost').description('processor time and wake-ups per token outside the model');
  return addModelFlags(command, deps)
    .option('--streams <list>', 'numbers of streams at once', integerList, [1, 4, 8])
    .option('--rounds <number>', 'repetitions', positiveInteger, 3)
    .option('--tokens <number>', 'tokens of every answer', positiveInteger, 1_500)
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('cost', flags.out);
      const rounds = new Map<number, Round[]>(flags.streams.map((streams) => [streams, []]));
      const server = await withTemporaryData((dataFolder) =>
        startServer(deps, {
          ...ownServer(flags),
          dataFolder,
          parallel: Math.max(...flags.streams),
          contextTokens: flags.tokens + 256,
        }),
      );
      try {
        await server.load();
        let seed = firstSeed(Date.now());
        // The first answers compile the code; their figures are thrown away.
        await measure(server, Math.max(...flags.streams), flags.tokens, seed++);
        for (let round = 0; round < flags.rounds; round++) {
          for (const streams of flags.streams) {
            deps.progress(`round ${round + 1} of ${flags.rounds}, ${streams} streams`);
            const measured = await measure(server, streams, flags.tokens, seed++);
            rounds.get(streams)!.push(measured);
          }
        }
      } finally {
        await server.close();
      }
      report.table(
        'Processor time per token in µs, and wake-ups per step',
        ['streams', 'server', 'worker, messages', 'sum', 'server wake-ups', 'worker wake-ups', 'step ms'],
        [...rounds].map(([streams, own]) => [
          `${streams}`,
          summarize(own.map(({ serverUs }) => serverUs)),
          summarize(own.map(({ sendingUs }) => sendingUs)),
          summarize(own.map(({ serverUs, sendingUs }) => serverUs + sendingUs)),
          summarize(own.map(({ serverWakes }) => serverWakes)),
          summarize(own.map(({ workerWakes }) => workerWakes)),
          summarize(own.map(({ stepMs }) => stepMs)),
        ]),
      );
      report.note('server: everything that its process does while the streams run, requests and metrics included');
      report.keep('rounds', Object.fromEntries(rounds));
      report.write();
    });
}

/** One round: so many answers at once, and the processes before and after. */
async function measure(server: BenchServer, streams: number, maxTokens: number, seed: number): Promise<Round> {
  const [worker] = workersOf(server.pid);
  if (worker === undefined) throw new Error('the server has no worker process that could be measured');
  const read = async () => ({
    steps: await stepsOf(server.baseUrl),
    // Read last before the streams and first after them: reading the metrics costs the server time too.
    serverMs: processorMsOf(server.pid),
    serverSwitches: voluntarySwitchesOf(server.pid),
    workerSwitches: voluntarySwitchesOf(worker),
  });
  const before = await read();
  const startMs = performance.now();
  const traces = await Promise.all(
    Array.from({ length: streams }, (_, stream) =>
      streamAnswer({
        baseUrl: server.baseUrl,
        endpoint: 'chat/completions',
        body: {
          model: server.model,
          messages: [{ role: 'user', content: uniqueWords(12, seed * 64 + stream) }],
          max_tokens: maxTokens,
          temperature: 0.8,
          seed: stream,
          ignore_eos: true,
        },
      }),
    ),
  );
  const tookMs = performance.now() - startMs;
  const serverMs = processorMsOf(server.pid) - before.serverMs;
  const serverSwitches = voluntarySwitchesOf(server.pid) - before.serverSwitches;
  const workerSwitches = voluntarySwitchesOf(worker) - before.workerSwitches;
  const steps = (await stepsOf(server.baseUrl)) - before.steps;
  const failure = traces.find((trace) => trace.failure !== null)?.failure;
  if (failure) throw new Error(`an answer failed: ${failure}`);
  const tokens = traces.reduce((sum, { completionTokens }) => sum + (completionTokens ?? 0), 0);
  const stepMs = tookMs / steps;
  return {
    tokens,
    steps,
    serverUs: (serverMs * 1000) / tokens,
    sendingUs: await sendingCost({ streams, steps: Math.max(leastSteps, Math.round(sendingMs / stepMs)), stepMs }),
    serverWakes: serverSwitches / steps,
    workerWakes: workerSwitches / steps,
    stepMs,
  };
}

/** Microseconds per token of a process that sends what a worker sends, at the same pace, and does nothing else. */
function sendingCost(task: SenderTask): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('cost-sender.ts', import.meta.url)), [JSON.stringify(task)], {
      execArgv: ['--max-semi-space-size=2'],
      serialization: 'json',
    });
    let result: SenderResult | null = null;
    child.on('message', (message) => {
      if ((message as SenderResult).type === 'result') result = message as SenderResult;
    });
    child.on('error', reject);
    child.on('close', () => {
      if (result) resolve(result.usPerToken);
      else reject(new Error('the sender ended without a result'));
    });
  });
}

/** Steps of all models since the server's start, as its metrics count them. */
async function stepsOf(baseUrl: string): Promise<number> {
  const text = await (await fetch(`${baseUrl}/metrics`)).text();
  return [...text.matchAll(/^hearth_engine_steps_total\{[^}]*\} (\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
}
