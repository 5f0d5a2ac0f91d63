import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { BenchDeps } from './deps.ts';
import { baseUrl, positiveInteger } from './flags.ts';
import { type BenchServer, type ServerWish, startServer } from './server.ts';

/** Flags that say what a bench talks to. */
export interface TargetFlags {
  model?: string;
  threads: number;
  url?: string;
  name?: string;
}

/** A server with a model, ours or a running one. */
export interface Target {
  baseUrl: string;
  model: string;
  /** Ends the server if the bench started it. */
  close(): Promise<void>;
}

/** Adds the flags for a server of the bench's own. */
export function addModelFlags(command: Command, deps: BenchDeps): Command {
  return command
    .option('--model <file>', 'GGUF file; left out: the built-in model')
    .option('--threads <number>', 'threads of the server', positiveInteger, deps.cores);
}

/** Adds the flags for a server of the bench's own or one that runs already. */
export function addTargetFlags(command: Command, deps: BenchDeps): Command {
  return addModelFlags(command, deps)
    .option('--url <url>', 'base URL of a running server, instead of one of the bench', baseUrl)
    .option('--name <name>', 'model name for requests to --url');
}

/** The running server that the flags name, or a server of this repository with an empty data folder and the model loaded. */
export async function openTarget(
  deps: BenchDeps,
  flags: TargetFlags,
  wish: Pick<ServerWish, 'parallel' | 'contextTokens' | 'variables'>,
): Promise<Target> {
  if (flags.url !== undefined) {
    if (flags.name === undefined) throw new Error('--url needs --name, the model name for the requests');
    return { baseUrl: flags.url, model: flags.name, close: async () => {} };
  }
  return withTemporaryData(async (dataFolder) => {
    const server = await startServer(deps, { ...ownServer(flags), ...wish, dataFolder });
    await server.load();
    return server;
  });
}

/** What the flags say about a server of the bench's own. */
export function ownServer(flags: { model?: string; threads: number }): Pick<ServerWish, 'modelFile' | 'threads'> {
  return { modelFile: flags.model === undefined ? null : resolve(flags.model), threads: flags.threads };
}

/** Starts a server on a data folder that goes when the server does. */
export async function withTemporaryData(
  start: (dataFolder: string) => Promise<BenchServer>,
): Promise<BenchServer & Target> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
  const removeData = () => rm(dataFolder, { recursive: true, force: true });
  try {
    const server = await start(dataFolder);
    return {
      ...server,
      async close() {
        await server.stop();
        await removeData();
      },
    };
  } catch (error) {
    await removeData();
    throw error;
  }
}
