import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../../src/core/clock.ts';
import { startWorker } from '../../src/engine/residents/model-worker.ts';
import * as fork from '../../src/ipc/fork.ts';
import type { StepReport, WorkerOptions, WorkerRequest } from '../../src/ipc/protocol.ts';
import { threadTime } from '../../src/machine/thread-time.ts';
import { createLogger } from '../../src/observe/logger.ts';
import type { FlatAnswer } from './flat-answer.ts';
import { foldFlat } from './flat-answer.ts';
import { builtInModel, builtInModels } from './models.ts';
import { cleanEnvironment } from './server.ts';

/** On a busy machine a worker that waits for a core is not a dead one. */
function readFile(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** The real worker process with the built-in model, without a server around it. */
export interface RealWorker {
  /** Every step so far, in order. */
  readonly reports: readonly StepReport[];
  /**
   * Asks and folds the answer; null when `signal` ended it. Settles when the worker has confirmed the end, so that the
   * slot is free. `onToken` is called for each of its tokens, after the step's report is there.
   */
  ask(request: WorkerRequest, how?: { signal?: AbortSignal; onToken?: () => void }): Promise<FlatAnswer | null>;
  /** Unloads the model; states that are worth it go to the vault. */
  stop(): Promise<void>;
}

/**
 * Starts a worker with so many slots. `vaultFolder`: where every prompt that comes twice is kept, whatever it cost;
 * `drafts`: whether it guesses ahead; `root`: an installation whose libraries it takes, left out: this one; `modelPath`: left
 * out, the built-in model.
 */
export async function startRealWorker(how: {
  slots: number;
  vaultFolder: string | null;
  drafts: boolean;
  root?: string;
  modelPath?: string;
  threads?: number;
}): Promise<RealWorker> {
  const reports: StepReport[] = [];
  const options: WorkerOptions = {
    purpose: 'generate',
    model: 'm',
    modelPath: how.modelPath ?? join(builtInModels, `${builtInModel}-q8_0.gguf`),
    contextTokens: 2048,
    slots: how.slots,
    batchTokens: 512,
    useMmap: true,
    vault:
      how.vaultFolder === null
        ? null
        : { folder: how.vaultFolder, capBytes: 1 << 30, minSavedMs: 0, pinnedPrompts: [] },
    kvType: 'f16',
    drafts: how.drafts,
    flashAttention: true,
    // A second thread would wait for cores that other tests hold.
    maxThreads: how.threads ?? 1,
    threads: how.threads ?? 1,
    libuvThreads: 1,
    gpu: null,
  };
  const { forkWorker } =
    how.root === undefined
      ? fork
      : ((await import(pathToFileURL(join(how.root, 'src/ipc/fork.ts')).href)) as typeof fork);
  const resident = await startWorker({
    worker: forkWorker({ env: cleanEnvironment(), libuvThreads: 1 }),
    options,
    loadTimeoutMs: 120_000,
    clock: systemClock,
    threadTime: (pid) => threadTime(readFile, pid),
    log: createLogger('silent'),
    onStep: (report) => reports.push(report),
  });
  return {
    reports,
    async ask(request, { signal = new AbortController().signal, onToken = () => {} } = {}) {
      const settled = Promise.withResolvers<void>();
      try {
        return await foldFlat(resident.generate(request, signal, { onToken, onSettled: settled.resolve }));
      } catch (error) {
        if (!signal.aborted) throw error;
        return null;
      } finally {
        await settled.promise;
      }
    },
    stop: () => resident.stop(),
  };
}
