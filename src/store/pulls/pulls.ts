import { randomUUID } from 'node:crypto';
import { AppError, toAppError } from '../../core/errors.ts';
import type { PullInfo, PullPlan, PullWish } from '../../core/pull.ts';
import { removeFiles } from '../../files/files.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { assertSpace, makeFolder } from '../disk/space.ts';
import type { GgufFacts } from '../gguf/gguf.ts';
import type { FindEntry } from '../hub/resolve.ts';
import { findPull, type PreparedPull, readRemoteFacts } from './prepare.ts';
import { type ProgressGate, progressGate } from './progress-gate.ts';
import { createJob, isOver, type PullJob, toPullInfo } from './pull-job.ts';
import type { PullList } from './pull-list.ts';
import { type RunDeps, runPull, targetPath } from './run-pull.ts';
import { durableBytesOf, partPaths } from './sidecar.ts';
import { hubFailure } from './transfer.ts';

/** Pulls that download at the same time; a home line and a disk are not faster with more. */
const mostRunning = 2;
const mostUnfinished = 64;
const mostFinished = 50;

export interface PullsDeps extends RunDeps {
  findEntry: FindEntry;
  list: PullList;
  log: Logger;
  metrics: Metrics;
  /** Space that a pull leaves free. */
  reserveBytes: number;
  /** Free bytes of the file system of a folder; left out: as the system says. */
  readFreeBytes?: (folder: string) => Promise<number>;
  /** Plans a model over all memory; throws `insufficient_memory` for one that can never fit, unless forced. */
  plan: (facts: GgufFacts, wish: { model: string; force: boolean }) => PullPlan;
  /** Called when files have come, before the pull counts as done. */
  published: () => Promise<void>;
}

/** Every pull of this server: what runs, what waits, what an earlier run left. */
export interface Pulls {
  /** Lists what an earlier run left. Never rejects. */
  restore(): Promise<void>;
  /** Continues what an earlier run left and nobody stopped. */
  resume(): void;
  start(wish: PullWish, signal: AbortSignal): Promise<PullInfo>;
  list(): PullInfo[];
  get(id: string): PullInfo;
  watch(id: string, signal: AbortSignal): AsyncIterable<PullInfo>;
  cancel(id: string, options: { discard: boolean }): Promise<PullInfo>;
  /** Number of pulls that run or wait. */
  active(): number;
  close(): Promise<void>;
}

export function createPulls(deps: PullsDeps): Pulls {
  const { clock, log, metrics, folder } = deps;
  const jobs = new Map<string, PullJob>();
  let running = 0;
  const queue: (() => void)[] = [];
  let isClosed = false;

  const find = (id: string): PullJob => {
    const job = jobs.get(id);
    if (!job) throw new AppError('not_found', 'There is no pull of this id.', { field: 'id' });
    return job;
  };
  const pathsOf = (job: Pick<PullJob, 'repository' | 'files'>) =>
    job.files.map(({ path }) => targetPath(folder, job.repository, path));
  const save = () => deps.list.save([...jobs.values()].filter((job) => job.state !== 'done'));
  const announce = (job: PullJob) => {
    for (const listener of job.listeners) listener();
  };

  async function readReceived(job: PullJob): Promise<void> {
    const paths = pathsOf(job);
    for (const [index, path] of paths.entries()) {
      job.receivedBytes[index] = await durableBytesOf(path, job.files[index]!.hash.digest);
    }
  }

  /** The pull for the same files, if there is one. */
  function findTwin({ repository, files }: Pick<PreparedPull, 'repository' | 'files'>): PullJob | null {
    for (const job of jobs.values()) {
      const isSame = job.repository === repository && job.files.some(({ path }) => path === files[0]!.path);
      if (isSame && job.state !== 'done') return job;
    }
    return null;
  }

  /** Throws `model_busy` when the twin downloads another version of the files. */
  function joinTwin(found: PreparedPull): PullInfo | null {
    const twin = findTwin(found);
    if (!twin?.running) return null;
    if (twin.files.every((file, index) => file.hash.digest === found.files[index]?.hash.digest)) {
      return toPullInfo(twin);
    }
    throw new AppError('model_busy', 'Another revision of these files is being pulled.', {
      fix: 'Wait for it, or cancel it.',
      details: { pull: twin.id },
    });
  }

  async function start(wish: PullWish, signal: AbortSignal): Promise<PullInfo> {
    const found = await findPull(deps, wish, signal);
    const joined = joinTwin(found);
    if (joined) return joined;
    if ([...jobs.values()].filter((job) => job.running !== null).length >= mostUnfinished) {
      throw new AppError('queue_full', 'Too many pulls wait already.', { retryAfterSeconds: 60 });
    }
    const facts = await readRemoteFacts({ ...deps, onBytes: deps.onBytes }, found, signal);
    const quantization = found.quantization === 'unknown' ? facts.quantization : found.quantization;
    const model = `${found.model}:${quantization}`;
    const plan = deps.plan(facts, { model, force: wish.force === true });
    await assertRoom(found);
    signal.throwIfAborted();
    // While the hub was asked, somebody else may have begun the same pull.
    const late = joinTwin(found);
    if (late) return late;
    if (isClosed) throw new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });

    const old = findTwin(found);
    if (old) jobs.delete(old.id);
    const job = createJob(
      {
        id: old?.id ?? randomUUID(),
        name: wish.name,
        model,
        quantization,
        repository: found.repository,
        revision: found.revision,
        files: found.files,
        startedAt: clock.now(),
        isStopped: false,
      },
      'queued',
    );
    job.plan = plan;
    if (!plan.fits) job.notes.push(plan.message);
    jobs.set(job.id, job);
    begin(job);
    return toPullInfo(job);
  }

  async function assertRoom(found: PreparedPull): Promise<void> {
    await makeFolder(folder);
    let neededBytes = 0;
    for (const [index, path] of pathsOf(found).entries()) {
      const { sizeBytes, hash } = found.files[index]!;
      neededBytes += sizeBytes - (await durableBytesOf(path, hash.digest));
    }
    await assertSpace(folder, { neededBytes, reserveBytes: deps.reserveBytes }, deps.readFreeBytes);
  }

  function begin(job: PullJob): void {
    const controller = new AbortController();
    job.running = controller;
    job.state = 'queued';
    job.isStopped = false;
    job.error = null;
    job.finishedAt = null;
    const gate = progressGate(clock, () => announce(job));
    job.ended = work(job, controller.signal, gate).finally(() => {
      gate.close();
      job.running = null;
      announce(job);
    });
    void save();
  }

  /** Never rejects: how it ended is written into the job. */
  async function work(job: PullJob, signal: AbortSignal, gate: ProgressGate): Promise<void> {
    try {
      await slot(signal);
      try {
        await runPull(deps, job, (what) => (what === 'state' ? announce(job) : gate.changed()), signal);
        await deps.published();
      } finally {
        running--;
        queue.shift()?.();
      }
      finish(job, 'done');
      log.info({ model: job.model, repository: job.repository }, 'a model was pulled');
    } catch (error) {
      if (signal.aborted) {
        const { code } = toAppError(signal.reason);
        // A server that stops has not been told to stop the pull.
        if (code === 'shutting_down') job.state = 'resumable';
        else finish(job, 'cancelled');
        return;
      }
      const problem = toAppError(hubFailure(error));
      job.error = problem.toWire();
      finish(job, 'failed', problem.code);
      // A hub that was down may be up after a start; everything else would only fail again.
      job.isStopped = !problem.retryable;
      log.warn({ model: job.model, code: problem.code, err: problem.cause }, `a pull failed: ${problem.message}`);
    } finally {
      job.waitingFor = null;
      job.bytesPerSecond = null;
      await save();
    }
  }

  function finish(job: PullJob, state: 'done' | 'failed' | 'cancelled', result: string = state): void {
    job.state = state;
    job.isStopped = state !== 'done';
    job.finishedAt = clock.now();
    metrics.pulls.inc({ result });
    const over = [...jobs.values()].filter(isOver).toSorted((a, b) => Number(a.finishedAt) - Number(b.finishedAt));
    for (const { id } of over.slice(0, Math.max(0, over.length - mostFinished))) jobs.delete(id);
  }

  /** Resolves when fewer than `mostRunning` pulls download; the place is taken then. */
  async function slot(signal: AbortSignal): Promise<void> {
    while (running >= mostRunning) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(resolve);
      try {
        await promise;
      } finally {
        signal.removeEventListener('abort', onAbort);
        const place = queue.indexOf(resolve);
        if (place >= 0) queue.splice(place, 1);
        // Woken and aborted at once: the place goes to the next one.
        else if (signal.aborted) queue.shift()?.();
      }
    }
    signal.throwIfAborted();
    running++;
  }

  return {
    async restore() {
      for (const saved of await deps.list.load()) {
        if (jobs.has(saved.id)) continue;
        const job = createJob(saved, 'resumable');
        await readReceived(job);
        jobs.set(job.id, job);
      }
    },
    resume() {
      for (const job of jobs.values()) if (job.state === 'resumable' && !job.isStopped) begin(job);
    },
    start: (wish, signal) =>
      start(wish, signal).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : hubFailure(error);
      }),
    list: () => [...jobs.values()].toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime()).map(toPullInfo),
    get: (id) => toPullInfo(find(id)),
    watch(id, signal) {
      const job = find(id);
      return follow(job, signal);
    },
    async cancel(id, { discard }) {
      const job = find(id);
      job.running?.abort(new AppError('client_closed_request', 'The pull was cancelled.'));
      await job.ended;
      if (job.state === 'resumable') {
        job.state = 'cancelled';
        job.isStopped = true;
      }
      if (discard) {
        await removeFiles(pathsOf(job).flatMap((path) => Object.values(partPaths(path))));
        job.receivedBytes = job.receivedBytes.map((bytes) => (job.state === 'done' ? bytes : 0));
        jobs.delete(id);
      }
      await save();
      return toPullInfo(job);
    },
    active: () => [...jobs.values()].filter((job) => job.running !== null).length,
    async close() {
      isClosed = true;
      const open = [...jobs.values()];
      for (const job of open) job.running?.abort(new AppError('shutting_down', 'The server is shutting down.'));
      await Promise.all(open.map((job) => job.ended));
      await save();
    },
  };
}

/** Yields the pull now and after every change, changes that nobody waited for taken together; ends with the pull. */
async function* follow(job: PullJob, signal: AbortSignal): AsyncGenerator<PullInfo> {
  let changed = Promise.withResolvers<void>();
  const listener = () => changed.resolve();
  job.listeners.add(listener);
  signal.addEventListener('abort', listener);
  try {
    while (!signal.aborted) {
      const isLast = job.running === null;
      yield toPullInfo(job);
      if (isLast) return;
      await changed.promise;
      changed = Promise.withResolvers<void>();
    }
  } finally {
    job.listeners.delete(listener);
    signal.removeEventListener('abort', listener);
  }
}
