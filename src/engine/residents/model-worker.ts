import type { Clock } from '../../core/clock.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import type { StreamEvent } from '../../core/events.ts';
import type { Calls } from '../../ipc/calls.ts';
import { createChannel, type RequestHooks } from '../../ipc/channel.ts';
import { isDamaged } from '../../ipc/damaged.ts';
import type { WorkerExit, WorkerProcess } from '../../ipc/fork.ts';
import { nativeCause } from '../../ipc/native-cause.ts';
import type { StepReport, WorkerOptions, WorkerReady, WorkerRequest } from '../../ipc/protocol.ts';
import type { ThreadTime } from '../../machine/thread-time.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Calibration } from '../calibration/calibration.ts';
import { createSilence } from './silence.ts';

/** Why a worker ended. `asked`: we stopped it; `hung`: it did not answer and was killed. */
export type EndReason = 'asked' | 'crash' | 'killed' | 'hung';

/** A worker process with a model in it, its channel and its heartbeat. */
export interface ModelWorker extends Calls {
  readonly pid: number;
  readonly ready: WorkerReady;
  /** Resolves when the process is gone, before any of its requests is told. */
  readonly ended: Promise<EndReason>;
  /** Resolves when an answer showed that the model is damaged, before its request is told. */
  readonly damaged: Promise<AppError>;
  generate(request: WorkerRequest, signal: AbortSignal, hooks: RequestHooks): AsyncIterable<StreamEvent>;
  /** `prefillThreads`: for steps that read a prompt; left out: as many. */
  setThreads(threads: number, prefillThreads?: number): void;
  /** Tells which guesses can pay, and how many threads of the pool are to work. */
  setCalibration(found: Pick<Calibration, 'costOfTokens' | 'libuvThreads'>): void;
  /** Asks the worker to end, kills it if it does not, resolves when the process is gone. */
  stop(): Promise<void>;
}

const pingIntervalMs = 1_000;
const stopGraceMs = 10_000;
/** A template renders a greeting in a millisecond; one that takes this long will not end, or is not fit to be used. */
const probeMs = 2_000;

/**
 * Starts a worker and loads a model into it. Rejects with what the worker said, or `model_load_failed` when it died,
 * hung or took longer than `loadTimeoutMs`, or with the reason of `signal`; the process is gone by then.
 */
export async function startWorker(deps: {
  worker: WorkerProcess;
  options: WorkerOptions;
  loadTimeoutMs: number;
  /** Aborted while it loads: it is ended. Left out: nobody does. */
  signal?: AbortSignal;
  /** What a process has had of the processor; null: unknown. Left out: it always is. */
  threadTime?: (pid: number) => ThreadTime | null;
  clock: Clock;
  log: Logger;
  onStep: (report: StepReport) => void;
}): Promise<ModelWorker> {
  const { worker, clock, log } = deps;
  const damaged = Promise.withResolvers<AppError>();
  const channel = createChannel({
    port: worker,
    onStep: deps.onStep,
    onFailure(error) {
      if (isDamaged(error)) damaged.resolve(AppError.fromWire(error));
    },
  });
  const ended = Promise.withResolvers<EndReason>();
  const loading = Promise.withResolvers<WorkerReady>();
  /** `exit`: null until the process is gone. */
  const last: { exit: WorkerExit | null } = { exit: null };
  let killedFor: 'hung' | 'asked' | null = null;
  const time = () => deps.threadTime?.(worker.pid) ?? null;
  const silence = createSilence(time);
  let sequence = 0;

  worker.onMessage((message) => {
    silence.heard();
    if (message.type === 'ready') loading.resolve(message.ready);
    else if (message.type === 'probing') watchProbe();
    else if (message.type === 'load-failed') loading.reject(AppError.fromWire(message.error));
  });
  worker.onExit((exit) => {
    const reason: EndReason = killedFor ?? (exit.signal === 'SIGKILL' ? 'killed' : 'crash');
    last.exit = exit;
    heartbeat.cancel();
    if (reason !== 'asked') log.error({ pid: worker.pid, reason, ...exit }, 'worker ended');
    // Its owner first: a request that is tried again must not find this worker.
    ended.resolve(reason);
    channel.close(endError(reason, exit));
    loading.reject(loadError(reason, exit));
  });
  const heartbeat = clock.every(pingIntervalMs, () => {
    const verdict = silence.tick();
    if (verdict === 'hung') {
      killedFor ??= 'hung';
      worker.kill('SIGKILL');
    } else if (verdict === 'ask') worker.send({ type: 'ping', sequence: sequence++ });
  });

  /** Ends a load whose template has had `probeMs` of a core, as far as the system says; on a busy machine that takes longer. */
  function watchProbe(): void {
    const ranMs = () => time()?.ranMs ?? Number.POSITIVE_INFINITY;
    const startMs = time()?.ranMs ?? 0;
    const check = () => {
      if (ranMs() - startMs >= probeMs / 2) loading.reject(endlessTemplate());
      else timers.push(clock.after(probeMs, check));
    };
    timers.push(clock.after(probeMs, check));
  }

  const stop = async () => {
    if (last.exit) return;
    killedFor ??= 'asked';
    worker.send({ type: 'shutdown' });
    const kill = clock.after(stopGraceMs, () => worker.kill('SIGKILL'));
    await ended.promise;
    kill.cancel();
  };

  worker.send({ type: 'load', options: deps.options });
  const timers = [clock.after(deps.loadTimeoutMs, () => loading.reject(loadTimeout(deps.loadTimeoutMs)))];
  const onAbort = () => loading.reject(toAppError(deps.signal?.reason));
  if (deps.signal?.aborted) onAbort();
  deps.signal?.addEventListener('abort', onAbort);
  let ready: WorkerReady;
  try {
    ready = await loading.promise;
  } catch (error) {
    killedFor ??= 'asked';
    // A worker that failed to load holds nothing worth an orderly end.
    worker.kill('SIGKILL');
    await ended.promise;
    throw withCause(error, last.exit?.stderrTail ?? [], deps.options.modelPath);
  } finally {
    for (const timer of timers) timer.cancel();
    deps.signal?.removeEventListener('abort', onAbort);
  }
  // The process may have died between its `ready` and this turn.
  if (last.exit) throw loadError('crash', last.exit);
  return {
    pid: worker.pid,
    ready,
    ended: ended.promise,
    damaged: damaged.promise,
    generate: channel.generate,
    embed: channel.embed,
    rank: channel.rank,
    decide: channel.decide,
    count: channel.count,
    tokens: channel.tokens,
    measure: channel.measure,
    setThreads: (threads, prefillThreads = threads) => worker.send({ type: 'threads', threads, prefillThreads }),
    setCalibration: ({ costOfTokens, libuvThreads }) => worker.send({ type: 'calibrated', costOfTokens, libuvThreads }),
    stop,
  };
}

function loadTimeout(afterMs: number): AppError {
  return new AppError('model_load_failed', `The model was not loaded within ${Math.round(afterMs / 1000)} s.`, {
    fix: 'Allow more time to load if the disk is slow (models.load_timeout).',
    details: { reason: 'timeout' },
  });
}

function endlessTemplate(): AppError {
  return new AppError('invalid_model_file', "The model's chat template does not come to an end on a simple greeting.", {
    fix: 'Use another file of this model.',
    details: { reason: 'template_endless' },
  });
}

/** Failures of a load that say all there is to say. */
const saysItself = new Set(['timeout', 'gpu_memory', 'hung', 'killed']);

/** The error of a load with the library's own words for it; all of them are there when the process is gone. */
function withCause(thrown: unknown, stderrTail: readonly string[], modelPath: string): AppError {
  const error = toAppError(thrown);
  if (error.code !== 'model_load_failed' || saysItself.has(`${error.details?.['reason']}`)) return error;
  const words = nativeCause(stderrTail, modelPath);
  const message = words === null ? error.message : `${error.message.replace(/\.$/, '')}: ${words}.`;
  return new AppError(error.code, message, {
    ...(error.fix !== null && { fix: error.fix }),
    ...(error.details !== null && { details: error.details }),
    cause: stderrTail.join('\n'),
  });
}

function exitWords(exit: WorkerExit): string {
  return exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`;
}

function endError(reason: EndReason, exit: WorkerExit): AppError {
  if (reason === 'asked') {
    return new AppError('worker_crashed', 'The model was unloaded while it answered.', { retryAfterSeconds: 1 });
  }
  const what = reason === 'hung' ? 'stopped responding and was ended' : `ended unexpectedly (${exitWords(exit)})`;
  return new AppError('worker_crashed', `The process of this model ${what}.`, {
    fix: 'Send the request again; the model is loaded anew.',
    retryAfterSeconds: 1,
    details: { reason },
  });
}

function loadError(reason: EndReason, exit: WorkerExit): AppError {
  const what = reason === 'hung' ? 'stopped responding' : `ended (${exitWords(exit)})`;
  return new AppError('model_load_failed', `The process of this model ${what} while it loaded.`, {
    fix: 'The server log has its last lines. The file may be damaged, or memory too short.',
    details: { reason: reason === 'killed' ? 'killed' : reason === 'hung' ? 'hung' : 'crash' },
  });
}
