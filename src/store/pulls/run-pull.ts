import { rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { fileSize, removeFiles, syncFolder } from '../../files/files.ts';
import type { Bus } from '../../observe/bus.ts';
import { makeFolder, storageError } from '../disk/disk.ts';
import { readModelFiles } from '../gguf/gguf.ts';
import type { Hub, HubFile } from '../hub/hub.ts';
import { matchesHash, openPart } from './part-file.ts';
import type { PullHours } from './pull-hours.ts';
import type { PullTask } from './pull-task.ts';
import { isSameFile, partPaths, readSidecar } from './sidecar.ts';
import { createSpeedometer } from './speedometer.ts';
import type { Throttle } from './throttle.ts';
import { transferFile } from './transfer.ts';

export interface RunDeps {
  hub: Pick<Hub, 'download'>;
  clock: Clock;
  throttle: Throttle;
  hours: PullHours;
  random: () => number;
  /** Absolute path of the model folder. */
  folder: string;
  pieceBytes: number;
  bus: Pick<Bus, 'publish'>;
}

/** Where a file of a repository is put: `org/repo/path` in the model folder. */
export function targetPath(folder: string, repository: string, path: string): string {
  return join(folder, ...repository.split('/'), ...path.split('/'));
}

/**
 * Downloads every file of a pull, checks them, and only then gives all of them their names, so that a model is never
 * listed by halves. Changes the task and calls `changed`. Rejects as `transferFile` does, or with `invalid_model_file`.
 */
export async function runPull(
  deps: RunDeps,
  task: PullTask,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<void> {
  const paths = task.files.map(({ path }) => targetPath(deps.folder, task.repository, path));
  const missing: number[] = [];
  for (const [index, path] of paths.entries()) {
    if (await isThere(deps, task, index, changed, signal)) continue;
    missing.push(index);
    await makeFolder(dirname(path));
    await downloadOne(deps, task, index, path, changed, signal);
  }
  setState(task, 'verifying', changed);
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
  task: PullTask,
  index: number,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<boolean> {
  const file = task.files[index]!;
  const path = targetPath(deps.folder, task.repository, file.path);
  if ((await fileSize(path)) !== file.sizeBytes) return false;
  setState(task, 'verifying', changed);
  if (!(await matchesHash(path, file, signal))) return false;
  await removeLeftovers(path, file);
  file.receivedBytes = file.sizeBytes;
  return true;
}

/** What a run that was killed after the file had its name left of the same download. */
async function removeLeftovers(filePath: string, file: HubFile): Promise<void> {
  const sidecar = await readSidecar(filePath);
  if (sidecar === null || !isSameFile(sidecar, file)) return;
  await removeFiles(Object.values(partPaths(filePath))).catch((error: unknown) => {
    throw storageError(error);
  });
}

async function downloadOne(
  deps: RunDeps,
  task: PullTask,
  index: number,
  filePath: string,
  changed: (what: 'state' | 'progress') => void,
  signal: AbortSignal,
): Promise<void> {
  const file = task.files[index]!;
  const { repository, revision } = task;
  const target = { filePath, repository, revision, file };
  const part = await openPart(target, { pieceBytes: deps.pieceBytes, signal });
  const speed = createSpeedometer(deps.clock);
  const showProgress = () => {
    file.receivedBytes = part.offsetBytes();
  };
  try {
    showProgress();
    setState(task, 'downloading', changed);
    await transferFile(
      deps,
      target,
      part,
      {
        onBytes(bytes) {
          deps.bus.publish({ type: 'pull-received', bytes });
          showProgress();
          task.bytesPerSecond = speed.add(bytes);
          changed('progress');
        },
        onWaiting(reason) {
          task.waitingFor = reason;
          task.bytesPerSecond = null;
          setState(task, reason === null ? 'downloading' : 'waiting', changed);
        },
      },
      signal,
    );
    showProgress();
    task.bytesPerSecond = null;
    setState(task, 'verifying', changed);
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

function setState(task: PullTask, state: PullTask['state'], changed: (what: 'state' | 'progress') => void): void {
  if (task.state === state) return;
  task.state = state;
  changed('state');
}
