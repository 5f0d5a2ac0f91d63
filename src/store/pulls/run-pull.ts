import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { fileSize, removeFiles, syncFolder } from '../../files/files.ts';
import { makeFolder, storageError } from '../disk/space.ts';
import { readModelFiles } from '../gguf/gguf.ts';
import type { Hub } from '../hub/hub.ts';
import type { HubHttp } from '../hub/hub-http.ts';
import { matchesHash, openPart } from './part-file.ts';
import type { PullJob } from './pull-job.ts';
import { partPaths } from './sidecar.ts';
import type { Throttle } from './throttle.ts';
import { transferFile } from './transfer.ts';
import type { PullWindow } from './window.ts';

export interface RunDeps {
  http: HubHttp;
  hub: Hub;
  clock: Clock;
  throttle: Throttle;
  window: PullWindow;
  random: () => number;
  /** Absolute path of the model folder. */
  folder: string;
  pieceBytes: number;
  onBytes(bytes: number): void;
}

/** Where a file of a repository is put: `org/repo/path` in the model folder. */
export function targetPath(folder: string, repository: string, path: string): string {
  return join(folder, ...repository.split('/'), ...path.split('/'));
}

/**
 * Downloads every file of a pull, checks them, and only then gives all of them their names, so that a model is never
 * listed by halves. Changes the job and calls `changed`. Rejects as `transferFile` does, or with `invalid_model_file`.
 */
export async function runPull(
  deps: RunDeps,
  job: PullJob,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<void> {
  const paths = job.files.map(({ path }) => targetPath(deps.folder, job.repository, path));
  const missing: number[] = [];
  for (const [index, path] of paths.entries()) {
    if (await isThere(deps, job, index, changed, signal)) continue;
    missing.push(index);
    await makeFolder(dirname(path));
    await downloadOne(deps, job, index, path, changed, signal);
  }
  setState(job, 'verifying', changed);
  const isMissing = new Set(missing);
  await readModelFiles(paths.map((path, index) => (isMissing.has(index) ? partPaths(path).part : path))).catch(
    async (error: unknown) => {
      // The right bytes of something that is no model: keeping them would not help anybody.
      await removeFiles(missing.flatMap((index) => Object.values(partPaths(paths[index]!))));
      throw error;
    },
  );
  await publish(missing.map((index) => paths[index]!));
}

/** Whether the finished file lies there from an earlier pull; its bytes are compared, not only its size. */
async function isThere(
  deps: RunDeps,
  job: PullJob,
  index: number,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<boolean> {
  const file = job.files[index]!;
  const path = targetPath(deps.folder, job.repository, file.path);
  if ((await fileSize(path)) !== file.sizeBytes) return false;
  setState(job, 'verifying', changed);
  if (!(await matchesHash(path, file, signal))) return false;
  job.receivedBytes[index] = file.sizeBytes;
  return true;
}

async function downloadOne(
  deps: RunDeps,
  job: PullJob,
  index: number,
  filePath: string,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<void> {
  const file = job.files[index]!;
  const { repository, revision } = job;
  const part = await openPart({ filePath, repository, revision, file }, { pieceBytes: deps.pieceBytes, signal });
  const speed = createSpeedometer(deps.clock);
  const showProgress = () => {
    job.receivedBytes[index] = part.offsetBytes();
  };
  try {
    showProgress();
    setState(job, 'downloading', changed);
    const source = { url: deps.hub.fileUrl(repository, revision, file.path), file };
    await transferFile(
      deps,
      source,
      part,
      {
        onBytes(bytes) {
          deps.onBytes(bytes);
          showProgress();
          job.bytesPerSecond = speed.add(bytes);
          changed('progress');
        },
        onWaiting(reason) {
          job.waitingFor = reason;
          job.bytesPerSecond = null;
          setState(job, reason === null ? 'downloading' : 'waiting', changed);
        },
      },
      signal,
    );
    showProgress();
    job.bytesPerSecond = null;
    setState(job, 'verifying', changed);
    await part.verify();
  } finally {
    await part.close();
    showProgress();
  }
}

/** Names last, sidecars after them: at every point between, a new pull finds out what is left to do. */
async function publish(paths: readonly string[]): Promise<void> {
  try {
    for (const path of paths) await rename(partPaths(path).part, path);
    for (const folder of new Set(paths.map((path) => dirname(path)))) await syncFolder(folder);
    await removeFiles(paths.map((path) => partPaths(path).sidecar));
  } catch (error) {
    throw storageError(error);
  }
}

function setState(job: PullJob, state: PullJob['state'], changed: (what: 'state' | 'progress') => void): void {
  if (job.state === state) return;
  job.state = state;
  changed('state');
}

const speedWindowMs = 5_000;

/** Bytes per second over the last five seconds. */
function createSpeedometer(clock: Clock) {
  const seen: { atMs: number; bytes: number }[] = [];
  let sumBytes = 0;
  return {
    add(bytes: number): number | null {
      const nowMs = clock.monotonicMs();
      const last = seen.at(-1);
      // Ten entries a second are enough, however small the pieces are.
      if (last && nowMs - last.atMs < 100) last.bytes += bytes;
      else seen.push({ atMs: nowMs, bytes });
      sumBytes += bytes;
      while (nowMs - seen[0]!.atMs > speedWindowMs) sumBytes -= seen.shift()!.bytes;
      const spanMs = nowMs - seen[0]!.atMs;
      return spanMs < 500 ? null : Math.round((sumBytes / spanMs) * 1000);
    },
  };
}
