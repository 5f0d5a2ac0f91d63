import { z } from 'zod';
import type { WireError } from '../../core/errors.ts';
import type { PullInfo, PullPlan, PullState } from '../../core/pull.ts';

/** What of a pull outlives the process. */
export const savedPull = z.object({
  id: z.string(),
  name: z.string(),
  model: z.string(),
  quantization: z.string(),
  repository: z.string(),
  revision: z.string(),
  files: z
    .array(
      z.object({
        path: z.string(),
        sizeBytes: z.number().int().min(0),
        hash: z.object({ algorithm: z.enum(['sha256', 'git-sha1']), digest: z.string() }),
      }),
    )
    .min(1)
    .max(64),
  startedAt: z.iso.datetime().transform((text) => new Date(text)),
  /** It was stopped by a person or by a failure that lasts, so a start does not take it up by itself. */
  isStopped: z.boolean(),
});

export type SavedPull = z.output<typeof savedPull>;

/** A pull in this process. */
export interface PullJob extends SavedPull {
  state: PullState;
  /** Bytes on disk by file, in the order of `files`. */
  receivedBytes: number[];
  plan: PullPlan | null;
  notes: string[];
  /** Why it waits; shown among the notes. */
  waitingFor: string | null;
  bytesPerSecond: number | null;
  error: WireError | null;
  finishedAt: Date | null;
  /** Aborting it stops the pull; null while it does not run. */
  running: AbortController | null;
  /** Resolves when it has let go of its files. */
  ended: Promise<void>;
  /** Called with every change. */
  listeners: Set<() => void>;
}

/** A job that does not run yet. */
export function createJob(saved: SavedPull, state: PullState): PullJob {
  return {
    ...saved,
    state,
    receivedBytes: saved.files.map(() => 0),
    plan: null,
    notes: [],
    waitingFor: null,
    bytesPerSecond: null,
    error: null,
    finishedAt: null,
    running: null,
    ended: Promise.resolve(),
    listeners: new Set(),
  };
}

/** A pull that is over does not go on by itself. */
export function isOver({ state }: Pick<PullInfo, 'state'>): boolean {
  return state === 'done' || state === 'failed' || state === 'cancelled';
}

/** The record that clients see. */
export function toPullInfo(job: PullJob): PullInfo {
  return {
    id: job.id,
    name: job.name,
    model: job.model,
    repository: job.repository,
    revision: job.revision,
    quantization: job.quantization,
    state: job.state,
    files: job.files.map(({ path, sizeBytes }, index) => ({
      path,
      sizeBytes,
      receivedBytes: job.receivedBytes[index] ?? 0,
    })),
    totalBytes: job.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    receivedBytes: job.receivedBytes.reduce((sum, bytes) => sum + bytes, 0),
    bytesPerSecond: job.bytesPerSecond,
    plan: job.plan,
    notes: job.waitingFor === null ? job.notes : [...job.notes, job.waitingFor],
    error: job.error,
    startedAt: job.startedAt,
    finishedAt: job.finishedAt,
  };
}
