import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { summarize } from '../bench/statistics.ts';
import type { Pace } from './choose.ts';
import type { PaceOptions } from './pace.ts';

/** Processes that take turns: one round proves nothing on a machine that does other things beside. */
const usualRounds = 7;

/** A process that runs a model with the kernels that were installed when it began. */
export interface Runner {
  /** What it has measured so far, by rounds. */
  paces: Pace[];
  child: ChildProcess;
}

/** Starts a process that keeps the kernels installed below `root` now, until it is ended. Rejects when it does not live. */
export async function startRunner(
  root: string,
  modelPath: string,
  options: Partial<PaceOptions> = {},
): Promise<Runner> {
  const script = join(import.meta.dirname, 'pace.ts');
  return { paces: [], child: await startMeasuring(script, [root, modelPath, JSON.stringify(options)]) };
}

/** Starts a script that sends a message when it is ready to measure. Rejects when its process does not live. */
export async function startMeasuring(script: string, args: readonly string[]): Promise<ChildProcess> {
  const child = fork(script, args, {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    // As a worker has them: with more, the threads of small models disturb each other.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', MALLOC_ARENA_MAX: '1' },
  });
  await nextMessage(child);
  return child;
}

/** What a process that measures answers to a message. Rejects when it ends. */
export async function ask(child: ChildProcess, message: object): Promise<unknown> {
  child.send(message);
  return await nextMessage(child);
}

/** The median pace of each, measured in turn. Rejects when one of the processes ends. */
export async function measureInTurn(runners: readonly Runner[], rounds = usualRounds): Promise<Pace[]> {
  for (let round = 0; round < rounds; round++) {
    // To and fro: who comes second after a long pause is always another.
    for (const { child, paces } of round % 2 === 0 ? runners : runners.toReversed()) {
      paces.push((await ask(child, {})) as Pace);
    }
  }
  return runners.map(({ paces }) => ({
    prompt: summarize(paces.map(({ prompt }) => prompt))!.median,
    decode: summarize(paces.map(({ decode }) => decode))!.median,
  }));
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const done = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', { signal: done.signal }).then(([message]: unknown[]) => message),
      once(child, 'close', { signal: done.signal }).then(([code, signal]: unknown[]) => {
        throw new Error(`the process that measures ended with ${String(signal ?? code)}`);
      }),
    ]);
  } finally {
    done.abort();
  }
}
