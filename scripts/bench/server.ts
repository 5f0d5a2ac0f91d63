import { type ChildProcess, spawn } from 'node:child_process';
import { basename, dirname, join, resolve } from 'node:path';
import { sendJson } from './client.ts';

/** A server of this repository, started by a bench. */
export interface BenchServer {
  baseUrl: string;
  pid: number;
  /** Name of the model as requests write it. */
  model: string;
  /** Loads the model and waits until it is ready; returns the milliseconds that it took. */
  load(): Promise<number>;
  unload(): Promise<void>;
  /** Ends the server as a service manager does and waits until it is gone. */
  stop(): Promise<void>;
}

/** How a bench wants its server; what is left out is the server's own choice. */
export interface ServerWish {
  /** Path of a GGUF file; null: the built-in model. */
  modelFile: string | null;
  dataFolder: string;
  threads?: number;
  parallel?: number;
  contextTokens?: number;
  /** Further variables of the server, by name. */
  variables?: Record<string, string>;
}

/** A bench that dies must not leave servers behind. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/**
 * Starts the server through its own entry, on a free port of 127.0.0.1. `root`: folder of the repository; `env`: the
 * environment of the bench, of which the server's own variables are left out.
 */
export async function startServer(
  deps: { root: string; env: NodeJS.ProcessEnv },
  wish: ServerWish,
): Promise<BenchServer> {
  const models = wish.modelFile === null ? join(deps.root, 'models') : dirname(resolve(wish.modelFile));
  const inherited = Object.entries(deps.env).filter(([name]) => !name.startsWith('HEARTH_'));
  const args = [
    '--expose-gc',
    '--max-semi-space-size=16',
    'src/main.ts',
    '--host',
    '127.0.0.1',
    '--port',
    '0',
    '--data',
    wish.dataFolder,
    '--models',
    models,
  ];
  const child = spawn(process.execPath, args, {
    cwd: deps.root,
    env: {
      ...Object.fromEntries(inherited),
      HEARTH_KEEP_ALIVE: '-1',
      HEARTH_LOG_LEVEL: 'warn',
      // As `npm start` does.
      MALLOC_ARENA_MAX: '1',
      MALLOC_TRIM_THRESHOLD_: '131072',
      // A measurement of the server's own in an idle moment would be amid those of the bench.
      HEARTH_CALIBRATE: 'off',
      ...(wish.threads !== undefined && { HEARTH_THREADS: String(wish.threads) }),
      ...(wish.parallel !== undefined && { HEARTH_PARALLEL: String(wish.parallel) }),
      ...(wish.contextTokens !== undefined && { HEARTH_CONTEXT_LENGTH: String(wish.contextTokens) }),
      ...wish.variables,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const gone = new Promise<void>((resolveGone) => {
    child.on('close', () => {
      running.delete(child);
      resolveGone();
    });
  });
  const baseUrl = await addressOf(child);
  // The whole stem names one file even where a folder holds several quantizations.
  const model = wish.modelFile === null ? 'default' : basename(wish.modelFile).replace(/\.gguf$/i, '');
  const post = async (action: 'load' | 'unload') => {
    const { status, body } = await sendJson(`${baseUrl}/models/${encodeURIComponent(model)}/${action}`, 'POST');
    if (status !== 200) throw new Error(`${action} of ${model}: status ${status}: ${JSON.stringify(body)}`);
  };
  return {
    baseUrl,
    pid: child.pid ?? 0,
    model,
    async load() {
      const startMs = performance.now();
      await post('load');
      return performance.now() - startMs;
    },
    unload: () => post('unload'),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await gone;
    },
  };
}

/** Waits for the address that the server prints; rejects when it ends before. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolveAddress, reject) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const address = /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(text)?.[0];
      if (address !== undefined) resolveAddress(address);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => reject(new Error(`the server ended (${signal ?? code}) before it listened`)));
  });
}
