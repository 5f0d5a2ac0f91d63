import { z } from 'zod';
import type { AppError } from '../../core/errors.ts';
import { type PullFailure, type PullInfo, type PullState, pullFile, pullInfo } from '../../core/pull.ts';
import { fileHash, hubFile } from '../hub/hub.ts';

/** What of a pull outlives the process. */
export const savedPull = pullInfo
  .pick({ id: true, name: true, model: true, quantization: true, repository: true, revision: true })
  .extend({
    files: z.array(hubFile).min(1).max(64),
    startedAt: z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    }),
    /** It was stopped by a person or by a failure that lasts, so a start does not take it up by itself. */
    isStopped: z.boolean(),
  });

export type SavedPull = z.output<typeof savedPull>;

const pulledFile = pullFile.extend({ hash: fileHash });

/** A file of a pull in this process. */
type PulledFile = z.output<typeof pulledFile>;

/** A pull in this process: what clients see and what is saved, and how it is stopped and watched. */
export interface PullTask extends Omit<PullInfo, 'files' | 'totalBytes' | 'receivedBytes'> {
  files: PulledFile[];
  isStopped: boolean;
  /** Why it waits; shown among the notes. */
  waitingFor: string | null;
  /** Aborting it stops the pull; null while it does not run. */
  running: AbortController | null;
  /** Resolves when it has let go of its files. */
  ended: Promise<void>;
  /** Called with every change. */
  listeners: Set<() => void>;
}

/** A task that does not run yet. */
export function createPullTask(saved: SavedPull, state: PullState): PullTask {
  return {
    ...saved,
    files: saved.files.map((file) => ({ ...file, receivedBytes: 0 })),
    state,
    bytesPerSecond: null,
    plan: null,
    notes: [],
    error: null,
    finishedAt: null,
    waitingFor: null,
    running: null,
    ended: Promise.resolve(),
    listeners: new Set(),
  };
}

/** A pull that is over does not go on by itself. */
export function isOver({ state }: Pick<PullTask, 'state'>): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** The task as clients see it now; later changes do not show in it. */
export function toPullInfo(task: PullTask): PullInfo {
  // Parsed, so that what is not for clients falls away.
  return pullInfo.parse({
    ...task,
    totalBytes: sum(task.files.map(({ sizeBytes }) => sizeBytes)),
    receivedBytes: sum(task.files.map(({ receivedBytes }) => receivedBytes)),
    notes: task.waitingFor === null ? task.notes : [...task.notes, task.waitingFor],
  });
}

/** What a client reads of the error that ended a pull. */
export function toPullFailure({ code, message, fix, details }: AppError): PullFailure {
  return { code, message, fix, details: details ?? {} };
}

/** Yields the pull now and after every change, changes that nobody waited for taken together; ends with the pull. */
export async function* followTask(task: PullTask, signal: AbortSignal): AsyncGenerator<PullInfo> {
  let changed = Promise.withResolvers<void>();
  const listener = () => changed.resolve();
  task.listeners.add(listener);
  signal.addEventListener('abort', listener);
  try {
    while (!signal.aborted) {
      const isLast = task.running === null;
      yield toPullInfo(task);
      if (isLast) return;
      await changed.promise;
      changed = Promise.withResolvers<void>();
    }
  } finally {
    task.listeners.delete(listener);
    signal.removeEventListener('abort', listener);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
