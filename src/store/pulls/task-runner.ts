import { toAppError } from '../../core/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { givenUp } from '../hub/hub.ts';
import { createProgressGate } from './progress-gate.ts';
import { type PullTask, toPullFailure, toPullInfo } from './pull-task.ts';
import { type RunDeps, runPull, targetPath } from './run-pull.ts';
import { createSlots } from './slots.ts';

/** Pulls that download at the same time; a home line and a disk are not faster with more. */
const mostRunning = 2;

export interface RunnerDeps extends RunDeps {
  log: Logger;
  /**
   * Called when files have come, before the pull counts as done. `filePath`: the first of them; resolves with the name
   * by which it is asked for, null when it is not listed.
   */
  published: (filePath: string) => Promise<string | null>;
  /** Writes down what of all pulls outlives the process. Never rejects. */
  save: () => Promise<void>;
}

/** Takes pulls from `queued` to their end. */
interface TaskRunner {
  /** Starts a task or queues it; how it ends is written into it. */
  begin(task: PullTask): void;
}

export function createTaskRunner(deps: RunnerDeps): TaskRunner {
  const { bus, clock, log } = deps;
  const slots = createSlots(mostRunning);

  function announce(task: PullTask): void {
    for (const listener of task.listeners) listener();
    const { id, model, state, receivedBytes, totalBytes } = toPullInfo(task);
    bus.publish({ type: 'pull-changed', id, model, state, receivedBytes, totalBytes });
  }

  async function download(task: PullTask, signal: AbortSignal): Promise<void> {
    const progress = createProgressGate(clock, () => announce(task));
    const giveBack = await slots.take(signal);
    try {
      await runPull(deps, task, (what) => (what === 'state' ? announce(task) : progress.changed()), signal);
      // Another file may have had the name that was expected.
      task.model = (await deps.published(targetPath(deps.folder, task.repository, task.files[0]!.path))) ?? task.model;
    } finally {
      giveBack();
      progress.close();
    }
  }

  function finish(task: PullTask, state: 'done' | 'failed' | 'cancelled', result: string = state): void {
    task.state = state;
    task.isStopped = state !== 'done';
    task.finishedAt = clock.now();
    bus.publish({ type: 'pull-ended', id: task.id, model: task.model, result });
  }

  /** Never rejects: how it ended is written into the task. */
  async function run(task: PullTask, signal: AbortSignal): Promise<void> {
    try {
      await download(task, signal);
      finish(task, 'done');
      log.info({ model: task.model, repository: task.repository }, 'a model was pulled');
    } catch (error) {
      if (signal.aborted) {
        // A server that stops has not been told to stop the pull.
        if (toAppError(signal.reason).code === 'shutting_down') task.state = 'resumable';
        else finish(task, 'cancelled');
        return;
      }
      const problem = toAppError(givenUp(error));
      task.error = toPullFailure(problem);
      finish(task, 'failed', problem.code);
      // A hub that was down may be up after a start; everything else would only fail again.
      task.isStopped = !problem.retryable;
      log.warn({ model: task.model, code: problem.code, err: problem.cause }, `a pull failed: ${problem.message}`);
    } finally {
      task.waitingFor = null;
      task.bytesPerSecond = null;
      await deps.save();
    }
  }

  return {
    begin(task) {
      const controller = new AbortController();
      task.running = controller;
      task.state = 'queued';
      task.isStopped = false;
      task.error = null;
      task.finishedAt = null;
      task.ended = run(task, controller.signal).finally(() => {
        task.running = null;
        announce(task);
      });
      void deps.save();
    },
  };
}
