import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { promptTokensOf } from '../../src/core/usage.ts';
import { type ModelWorker, startWorker } from '../../src/engine/residents/model-worker.ts';
import { forkWorker } from '../../src/ipc/fork.ts';
import type { WorkerRequest } from '../../src/ipc/protocol.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { BareOptions, FromBare, ToBare } from './bare-protocol.ts';
import { streamAnswer } from './client.ts';
import { benchSampling, openaiSampling } from './sampling.ts';
import { startServer } from './server.ts';
import type { StreamTrace } from './trace.ts';

/** A model that is loaded with a number of slots and decodes that many streams at once. */
export interface OpenSide {
  run(prompts: readonly string[], generateTokens: number): Promise<StreamTrace[]>;
  close(): Promise<void>;
}

export type SideOptions = Omit<BareOptions, 'aligned'>;

/** One way to decode, and how to load a model for it. */
export interface EngineSide {
  name: string;
  open(options: SideOptions): Promise<OpenSide>;
}

/** Threads of the libuv pool of worker and bare loop: one is best on two cores. Same rule as in `src/app.ts`. */
function libuvThreads(cores: number): number {
  return Math.max(1, Math.min(4, Math.floor(cores / 2)));
}

/** Our engine: the worker process behind its channel, as the server uses it, without HTTP. */
export function engineSide(deps: { env: NodeJS.ProcessEnv; cores: number }): EngineSide {
  return {
    name: 'engine',
    async open(options) {
      const { modelPath, threads, streams, contextTokens, batchTokens } = options;
      const worker = await startWorker({
        worker: forkWorker({ env: deps.env, libuvThreads: libuvThreads(deps.cores) }),
        options: {
          purpose: 'generate',
          model: 'm',
          modelPath,
          contextTokens,
          slots: streams,
          batchTokens,
          useMmap: true,
          kvType: 'f16',
          vault: null,
          flashAttention: true,
          maxThreads: threads,
          threads,
          libuvThreads: libuvThreads(deps.cores),
          drafts: true,
          gpu: null,
        },
        loadTimeoutMs: 600_000,
        clock: systemClock,
        log: createLogger('error'),
        onStep: () => {},
      });
      return {
        run: (prompts, generateTokens) =>
          Promise.all(prompts.map((prompt, stream) => generate(worker, prompt, stream, generateTokens))),
        close: () => worker.stop(),
      };
    },
  };
}

async function generate(
  worker: ModelWorker,
  prompt: string,
  stream: number,
  generateTokens: number,
): Promise<StreamTrace> {
  const request: WorkerRequest = {
    model: 'bench',
    input: { type: 'text', prompt },
    sampling: benchSampling(stream),
    format: { type: 'text' },
    topLogprobs: null,
    maxTokens: generateTokens,
    stop: [],
    owner: null,
    promptCache: 'keep',
  };
  const trace: StreamTrace = {
    startMs: performance.now(),
    tokenTimesMs: [],
    endMs: 0,
    promptTokens: null,
    cachedPromptTokens: null,
    completionTokens: null,
    text: '',
    failure: null,
  };
  const hooks = { onToken: () => trace.tokenTimesMs.push(performance.now()), onSettled: () => {} };
  for await (const event of worker.generate(request, new AbortController().signal, hooks)) {
    if (event.type !== 'start') continue;
    trace.promptTokens = promptTokensOf(event.usage);
    trace.cachedPromptTokens = event.usage.cacheReadTokens;
  }
  trace.endMs = performance.now();
  trace.completionTokens = trace.tokenTimesMs.length;
  return trace;
}

/** The library without anything of ours, in a process of its own. */
export function bareSide(deps: { env: NodeJS.ProcessEnv; cores: number; aligned: boolean }): EngineSide {
  return {
    name: deps.aligned ? 'bare loop' : 'library',
    async open(options) {
      const env = { ...deps.env, NODE_OPTIONS: '', MALLOC_ARENA_MAX: '1' };
      const child = fork(fileURLToPath(new URL('./bare-loop.ts', import.meta.url)), [], {
        execArgv: [],
        // The library's own batching is measured as a program that knows nothing runs it: with the default pool.
        env: deps.aligned ? { ...env, UV_THREADPOOL_SIZE: String(libuvThreads(deps.cores)) } : env,
      });
      const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
      const ask = (message: ToBare) =>
        new Promise<FromBare>((resolve, reject) => {
          child.once('message', (answer) => {
            const result = answer as FromBare;
            if (result.type === 'failed') reject(new Error(`the bare loop failed: ${result.reason}`));
            else resolve(result);
          });
          exited.then(() => reject(new Error('the bare loop ended')));
          child.send(message);
        });
      await ask({ type: 'open', options: { ...options, aligned: deps.aligned } });
      return {
        async run(prompts, generateTokens) {
          const answer = await ask({ type: 'run', prompts: [...prompts], generateTokens });
          if (answer.type !== 'traces') throw new Error('the bare loop sent no traces');
          return answer.traces;
        },
        async close() {
          child.kill('SIGKILL');
          await exited;
        },
      };
    },
  };
}

/** The whole server over HTTP, with a client on the same cores. */
export function serverSide(deps: { root: string; env: NodeJS.ProcessEnv }): EngineSide {
  return {
    name: 'server',
    async open(options) {
      const dataFolder = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
      const server = await startServer(deps, {
        modelFile: options.modelPath,
        dataFolder,
        threads: options.threads,
        parallel: options.streams,
        contextTokens: options.contextTokens,
      });
      await server.load();
      return {
        run: (prompts, generateTokens) =>
          Promise.all(
            prompts.map((prompt, stream) =>
              streamAnswer({
                baseUrl: server.baseUrl,
                endpoint: 'completions',
                body: {
                  model: server.model,
                  prompt,
                  max_tokens: generateTokens,
                  ...openaiSampling(stream),
                  top_k: 40,
                  min_p: 0,
                },
              }),
            ),
          ),
        async close() {
          await server.stop();
          await rm(dataFolder, { recursive: true, force: true });
        },
      };
    },
  };
}
