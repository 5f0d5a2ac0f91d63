import { randomUUID } from 'node:crypto';
import type { DailyHours } from '../../core/daily-hours.ts';
import { AppError } from '../../core/errors.ts';
import type { FitOutcome } from '../../core/plan.ts';
import type { ModelStore, PullInfo, PullWish } from '../../core/pull.ts';
import type { AdviseQuantization } from '../../core/quantization-advice.ts';
import { removeFiles } from '../../files/files.ts';
import { assertSpace, makeFolder } from '../disk/disk.ts';
import type { GgufFacts } from '../gguf/gguf.ts';
import { givenUp, type Hub, type HubModel } from '../hub/hub.ts';
import { adviseAmong, withPull } from '../pull-advice/pull-advice.ts';
import { createPullHours } from './pull-hours.ts';
import { planPull } from './pull-plan.ts';
import { createPullTask, followTask, isOver, type PullTask, toPullInfo } from './pull-task.ts';
import { targetPath } from './run-pull.ts';
import { createSavedPulls } from './saved-pulls.ts';
import { durableBytesOf, partPaths } from './sidecar.ts';
import { createTaskRunner, type RunnerDeps } from './task-runner.ts';
import { createThrottle } from './throttle.ts';

const mostUnfinished = 64;
const mostFinished = 50;

interface PullsDeps extends Omit<RunnerDeps, 'hours' | 'hub' | 'save' | 'throttle'> {
  hub: Pick<Hub, 'find' | 'readFacts' | 'download'>;
  /** Null: pulls run at any time. */
  hours: DailyHours | null;
  /** Of all pulls together; null: as fast as it comes. */
  bytesPerSecond: number | null;
  /** The file of the unfinished pulls. */
  savedPath: string;
  /** Space that a pull leaves free. */
  reserveBytes: number;
  /** Free bytes of the file system of a folder; left out: as the system says. */
  readFreeBytes?: (folder: string) => Promise<number>;
  /** Plans a model over all memory that the server may use. */
  plan: (facts: GgufFacts) => FitOutcome;
  totalBytes: () => number;
  /** Whether a model of that size can be loaded here. */
  fits: (sizeBytes: number) => boolean;
  /** Which quantizations this processor is faster with. */
  advise: AdviseQuantization;
}

/** Every pull of this server: what runs, what waits, what an earlier run left. */
interface Pulls {
  /** Lists what an earlier run left. Never rejects. */
  restore(): Promise<void>;
  /** Continues what an earlier run left and nobody stopped. */
  resume(): void;
  start: ModelStore['pull'];
  list: ModelStore['pulls'];
  get: ModelStore['getPull'];
  watch: ModelStore['watchPull'];
  cancel: ModelStore['cancelPull'];
  /** Number of pulls that run or wait. */
  active(): number;
  close(): Promise<void>;
}

export function createPulls(deps: PullsDeps): Pulls {
  const { bus, clock, folder, hub } = deps;
  const tasks = new Map<string, PullTask>();
  const saved = createSavedPulls({ filePath: deps.savedPath, log: deps.log });
  const runner = createTaskRunner({
    ...deps,
    hours: createPullHours(clock, deps.hours),
    throttle: createThrottle(clock, deps.bytesPerSecond),
    save,
  });
  let isClosed = false;

  const all = () => [...tasks.values()];
  const pathsOf = ({ repository, files }: Pick<HubModel, 'repository' | 'files'>) =>
    files.map(({ path }) => targetPath(folder, repository, path));

  function save(): Promise<void> {
    const over = all()
      .filter(isOver)
      .toSorted((a, b) => Number(a.finishedAt) - Number(b.finishedAt));
    for (const { id } of over.slice(0, Math.max(0, over.length - mostFinished))) tasks.delete(id);
    return saved.save(all().filter((task) => task.state !== 'done'));
  }

  function find(id: string): PullTask {
    const task = tasks.get(id);
    if (!task) throw new AppError('not_found', 'There is no pull of this id.', { field: 'id' });
    return task;
  }

  /** The pull for the same files, if there is one. */
  function findTwin({ repository, files }: HubModel): PullTask | null {
    const isSame = (task: PullTask) =>
      task.repository === repository && task.files.some(({ path }) => path === files[0]!.path);
    return all().find((task) => task.state !== 'done' && isSame(task)) ?? null;
  }

  /** Throws `model_busy` when the twin downloads another version of the files. */
  function joinTwin(found: HubModel): PullInfo | null {
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

  async function assertRoom(found: HubModel): Promise<void> {
    await makeFolder(folder);
    let neededBytes = 0;
    for (const [index, path] of pathsOf(found).entries()) {
      const { sizeBytes, hash } = found.files[index]!;
      neededBytes += sizeBytes - (await durableBytesOf(path, hash.digest));
    }
    await assertSpace(folder, { neededBytes, reserveBytes: deps.reserveBytes }, deps.readFreeBytes);
  }

  const readFacts = (found: HubModel, signal: AbortSignal) =>
    hub.readFacts(found, (bytes) => bus.publish({ type: 'pull-received', bytes }), signal);

  /**
   * Reads the header of what was found, which tells how fast it will be. Where the choice is ours, another quantization of its
   * size that is faster here takes its place; else a note says that there is one.
   */
  async function readAndAdvise(
    found: HubModel,
    wish: PullWish,
    signal: AbortSignal,
  ): Promise<{ found: HubModel; facts: GgufFacts; notes: string[] }> {
    const facts = await readFacts(found, signal);
    const sizeBytes = found.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const fitting = found.all.filter((other) => deps.fits(other.sizeBytes));
    const advice = adviseAmong(deps.advise, { quantization: found.quantization, sizeBytes }, fitting, facts);
    if (advice === null) return { found, facts, notes: [] };
    const { repository, revision } = found;
    const name = `hf.co/${repository}`;
    if (!found.isAutomatic) return { found, facts, notes: [withPull(advice, plainName(wish.name) ?? name)!.message] };
    const faster = await hub.find({ name, quantization: advice.quantization, revision }, signal);
    const note = `auto chose ${advice.quantization}: ${advice.message}`;
    return { found: faster, facts: await readFacts(faster, signal), notes: [note] };
  }

  async function start(wish: PullWish, signal: AbortSignal): Promise<PullInfo> {
    const named = await hub.find(wish, signal);
    const joined = joinTwin(named);
    if (joined) return joined;
    if (all().filter((task) => task.running !== null).length >= mostUnfinished) {
      throw new AppError('queue_full', 'Too many pulls wait already.', { retryAfterSeconds: 60 });
    }
    const { found, facts, notes } = await readAndAdvise(named, wish, signal);
    const quantization = found.quantization === 'unknown' ? facts.quantization : found.quantization;
    const model = `${found.model}:${quantization}`;
    const budget = { totalBytes: deps.totalBytes() };
    const plan = planPull(deps.plan(facts), budget, { model, force: wish.force === true });
    await assertRoom(found);
    signal.throwIfAborted();
    // While the hub was asked, somebody else may have begun the same pull.
    const late = joinTwin(found);
    if (late) return late;
    if (isClosed) throw new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });

    const old = findTwin(found);
    if (old) tasks.delete(old.id);
    const { repository, revision, files } = found;
    const identity = { id: old?.id ?? randomUUID(), name: wish.name, model, quantization, repository, revision };
    const task = createPullTask({ ...identity, files, startedAt: clock.now(), isStopped: false }, 'queued');
    task.plan = plan;
    task.notes.push(...notes, ...(plan.fits ? [] : [plan.message]));
    tasks.set(task.id, task);
    runner.begin(task);
    return toPullInfo(task);
  }

  return {
    async restore() {
      for (const pull of await saved.load()) {
        if (tasks.has(pull.id)) continue;
        const task = createPullTask(pull, 'resumable');
        const paths = pathsOf(task);
        for (const [index, file] of task.files.entries()) {
          file.receivedBytes = await durableBytesOf(paths[index]!, file.hash.digest);
        }
        tasks.set(task.id, task);
      }
    },
    resume() {
      for (const task of all()) if (task.state === 'resumable' && !task.isStopped) runner.begin(task);
    },
    start: (wish, signal) =>
      start(wish, signal).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : givenUp(error);
      }),
    list: () =>
      all()
        .toSorted((a, b) => b.startedAt.getTime() - a.startedAt.getTime())
        .map(toPullInfo),
    get: (id) => toPullInfo(find(id)),
    watch: (id, signal) => followTask(find(id), signal),
    async cancel(id, { discard }) {
      const task = find(id);
      task.running?.abort(new AppError('client_closed_request', 'The pull was cancelled.'));
      await task.ended;
      if (task.state === 'resumable') {
        task.state = 'cancelled';
        task.isStopped = true;
      }
      if (discard) {
        await removeFiles(pathsOf(task).flatMap((path) => Object.values(partPaths(path))));
        if (task.state !== 'done') for (const file of task.files) file.receivedBytes = 0;
        tasks.delete(id);
      }
      await save();
      return toPullInfo(task);
    },
    active: () => all().filter((task) => task.running !== null).length,
    async close() {
      isClosed = true;
      for (const task of all()) task.running?.abort(new AppError('shutting_down', 'The server is shutting down.'));
      await Promise.all(all().map((task) => task.ended));
      await save();
    },
  };
}

/** What was asked for without a quantization; null for the address of a page or a file. */
function plainName(name: string): string | null {
  const plain = name.trim().replace(/:[\w.-]+$/, '');
  return plain.includes(':') || /\.gguf$/i.test(plain) ? null : plain;
}
