import { AppError, type ErrorCode, toAppError } from '../../core/errors.ts';
import { isDamaged } from '../../ipc/damaged.ts';
import type { Bus, UnloadReason } from '../../observe/bus.ts';
import type { Calibrator } from '../calibration/calibration.ts';
import type { LoadPlan } from '../memory/memory.ts';
import type { CrashGuard } from './crash-guard.ts';
import { createIdleTimer } from './idle-timer.ts';
import { type Lease, leaseOn } from './lease.ts';
import type { LoadFailures } from './load-failures.ts';
import { gaveWay, type LoadQueue } from './load-queue.ts';
import { type LoadDeps, type LoadStep, loadSteps } from './load-steps.ts';
import type { LoadSettings, ModelRef } from './model-ref.ts';
import type { EndReason } from './model-worker.ts';
import {
  type ModelUse,
  meets,
  type ResidentState,
  type ResidentView,
  type Running,
  runningOf,
  toView,
} from './resident-state.ts';
import type { Occupant } from './room.ts';
import { createScheduler, type OnPlace } from './scheduler.ts';

/** Why a model is ended in good order. */
export type OrderlyEnd = Exclude<UnloadReason, 'crash'>;

/** Who wants a slot. */
export interface Asker {
  /** As queues tell them apart; left out: nobody in particular. */
  owner?: string;
  /** Nobody waits for the answer. */
  isBackground?: boolean;
}

/** One model, from the wish to load it to the exit of its process. */
export interface Resident {
  readonly phase: ResidentState['phase'];
  /** Loaded, not pinned, and nobody uses it or waits for it: since then, by the clock; else null. */
  readonly idleSinceMs: number | null;
  /** Settles with the load: rejects with why it failed. */
  readonly whenLoaded: Promise<void>;
  /** Resolves when its process is gone, or its load has failed. Never rejects. */
  readonly whenGone: Promise<void>;
  /**
   * Waits for a slot of the loaded model. `keepAliveMs`: its idle time from now on. `onPlace` and `owner` as in
   * `Scheduler.acquire`, whose rejections come too, and `movedOn` when the model is, or goes, away.
   */
  lease(signal: AbortSignal, keepAliveMs?: number, onPlace?: OnPlace, by?: Asker): Promise<Lease>;
  /** Whether it was loaded as is wished now. Always true of one that is not loaded. */
  meets(wished: LoadSettings): boolean;
  /** Takes over what a load may change of a loaded model: how long it stays. */
  keep(wished: Pick<LoadSettings, 'keepAliveMs' | 'pin'>): void;
  /**
   * Lets running requests finish, then ends the worker; resolves when its process is gone. A load under way is ended at
   * once, and whoever waits for it is told.
   */
  unload(reason: OrderlyEnd): Promise<void>;
  /** Null: it is not loaded. */
  use(): ModelUse | null;
  /** Only the manager knows who goes before whom. */
  view(): Omit<ResidentView, 'endsNext'>;
  /** The model as loads that need room see it; null while it has no process. */
  occupant(): Occupant | null;
}

/** What residents ask of the memory of the machine. */
export interface ResidentMemory {
  plan: LoadDeps['memory']['plan'];
  /** Physical memory of a process. */
  residentBytes(pid: number): number;
  /** Notes what a load with this plan took, nothing having run on it yet. Bytes; null: it cannot be told. */
  measure(ref: ModelRef, plan: LoadPlan, pid: number): number | null;
}

export interface ResidentDeps extends LoadDeps {
  loadQueue: Pick<LoadQueue, 'enter' | 'roomChanged'>;
  memory: ResidentMemory;
  calibrator?: Calibrator | null;
  crashes: Pick<CrashGuard, 'record'>;
  /** Is told why a load failed, and that one went well. */
  failures: Pick<LoadFailures, 'note' | 'forget'>;
  maxQueue: number;
  bus: Pick<Bus, 'publish'>;
  /** Aborted: what is still loaded from then on is ended at once. */
  closing: AbortSignal;
  /** Told before anybody else that the model is gone. */
  onGone: () => void;
}

/** The resident went away before the request got a slot: whoever owns the residents tries again, on a new one. */
export const movedOn = new AppError('worker_crashed', 'The model was unloaded before the request began.', {
  retryAfterSeconds: 1,
});

/** What they are told who wait for a load that is not to go on. */
function notWanted(reason: OrderlyEnd): AppError {
  if (reason === 'shutdown') return shuttingDown();
  return new AppError('model_busy', 'The model was unloaded before it was loaded.', { retryAfterSeconds: 1 });
}

/** The server takes nothing new, and ends what did not begin. */
export function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });
}

/** Begins to load a model. State is only changed synchronously: by the steps of its load, by the slots, and by the end of its worker. */
export function beginResident(deps: ResidentDeps, ref: ModelRef, settings: LoadSettings): Resident {
  const { clock, log, bus, calibrator } = deps;
  const names = { model: ref.model, variant: ref.id };
  const gone = Promise.withResolvers<void>();
  /** Ends the load, with what its waiters are told. */
  const unwanted = new AbortController();
  let state: ResidentState = { phase: 'waiting-for-memory' };
  let keepAliveMs = settings.keepAliveMs;
  let pinned = settings.pin ?? false;
  let usedAtMs = 0;
  let isOfPeople = !settings.isBackground;

  /** Loaded, and nobody uses it or waits for it. */
  const isIdle = () =>
    state.phase === 'loaded' && state.running.scheduler.busySlots === 0 && state.running.scheduler.queueDepth === 0;
  const idleTimer = createIdleTimer({
    clock,
    onExpired() {
      if (state.phase === 'loaded' && isIdle()) beginUnload(state.running, 'idle');
    },
  });
  /** Starts the idle time anew; a busy or pinned model has none. */
  const startIdleTime = (leftMs = keepAliveMs) => {
    idleTimer.stop();
    if (isIdle() && !pinned) idleTimer.start(leftMs);
  };

  const load = async (): Promise<void> => {
    for await (const step of loadSteps(deps, ref, settings, unwanted.signal)) {
      if (step.phase === 'loaded') becomeLoaded(step);
      else state = step;
    }
  };

  const becomeLoaded = ({ launched, plan, gpu, loadMs }: Extract<LoadStep, { phase: 'loaded' }>) => {
    const { ready, ended, damaged } = launched.worker;
    const scheduler = createScheduler({ slots: ready.slots, maxQueue: deps.maxQueue, clock, onChange: onSlotsChange });
    const notes = [...(settings.notes ?? []), ...plan.notes, ...ready.warnings];
    const running: Running = { ...launched, scheduler, plan, gpu, notes, loadedAt: clock.now(), loadMs };
    state = { phase: 'loaded', running };
    const nowMs = clock.monotonicMs();
    const { restored } = settings;
    usedAtMs = restored?.usedAtMs ?? nowMs;
    void ended.then((reason) => onWorkerEnd(running, reason));
    void damaged.then((error) => onDamage(running, error));
    tellLoaded(deps, ref, running);
    if (deps.closing.aborted) beginUnload(running, 'shutdown');
    // The request that asked for the load takes its slot before any timer; it may be gone by now.
    else startIdleTime(restored && Math.max(0, restored.keepUntilMs - nowMs));
  };

  const onSlotsChange = () => {
    const running = runningOf(state);
    if (running === null) return;
    const busy = running.scheduler.busySlots > 0;
    running.share.setBusy(busy);
    calibrator?.setBusy(ref.id, busy);
    if (busy) return idleTimer.stop();
    usedAtMs = clock.monotonicMs();
    if (state.phase === 'unloading') return state.drained.resolve();
    startIdleTime();
    if (isIdle()) deps.loadQueue.roomChanged();
  };

  const beginUnload = (running: Running, reason: OrderlyEnd) => {
    idleTimer.stop();
    const drained = Promise.withResolvers<void>();
    state = { phase: 'unloading', running, drained, reason };
    // Those who wait are sent on to a new resident, which is loaded once this process is gone.
    running.scheduler.retire(movedOn);
    if (running.scheduler.busySlots === 0 || reason === 'shutdown') drained.resolve();
    void endWorker(running, drained.promise);
  };

  const endWorker = async (running: Running, drained: Promise<void>): Promise<void> => {
    await drained;
    await running.worker.stop();
    // A worker may have died while its last requests ran.
    const reason = state.phase === 'unloading' ? state.reason : 'crash';
    leave(running);
    bus.publish({ type: 'model-gone', ...names, reason });
    log.info({ model: ref.model, reason }, 'model unloaded');
  };

  const onWorkerEnd = (running: Running, reason: EndReason) => {
    if (reason === 'asked') return;
    tellDeath(deps, ref, running, reason);
    running.scheduler.retire(movedOn);
    if (state.phase === 'unloading') {
      state = { ...state, reason: 'crash' };
      state.drained.resolve();
      return;
    }
    leave(running);
    bus.publish({ type: 'model-gone', ...names, reason: 'crash' });
  };

  const onDamage = (running: Running, error: AppError) => {
    tellDamage(deps, ref, running, error);
    if (state.phase === 'loaded') beginUnload(running, 'damaged');
  };

  const leave = (running: Running | null) => {
    state = { phase: 'gone' };
    idleTimer.stop();
    running?.release();
    calibrator?.forget(ref.id);
    deps.onGone();
    gone.resolve();
  };

  const onLoadFailure = (thrown: unknown): never => {
    const error = toAppError(thrown);
    leave(null);
    if (unwanted.signal.aborted || error === gaveWay) log.info({ model: ref.model }, `load ended: ${error.message}`);
    else tellFailure(deps, ref, error);
    throw error;
  };

  const whenLoaded = load().catch(onLoadFailure);
  // Whoever wants the model waits for this; when nobody does any more, the failure is in the log.
  whenLoaded.catch(() => {});

  return {
    get phase() {
      return state.phase;
    },
    get idleSinceMs() {
      return isIdle() && !pinned ? usedAtMs : null;
    },
    whenLoaded,
    whenGone: gone.promise,
    async lease(signal, keptMs = keepAliveMs, onPlace, { owner, isBackground = false } = {}) {
      if (state.phase !== 'loaded') throw movedOn;
      const { scheduler, worker } = state.running;
      keepAliveMs = keptMs;
      isOfPeople ||= !isBackground;
      const ticket = await scheduler.acquire(signal, onPlace, owner);
      bus.publish({ type: 'slot-taken', model: ref.model, waitedMs: ticket.waitedMs });
      return leaseOn(worker, ticket);
    },
    meets: (wished) => state.phase !== 'loaded' || meets(state.running, settings, wished),
    keep(wished) {
      keepAliveMs = wished.keepAliveMs;
      isOfPeople = true;
      pinned = wished.pin ?? pinned;
      startIdleTime();
    },
    async unload(reason) {
      if (state.phase === 'waiting-for-memory' || state.phase === 'starting') {
        unwanted.abort(notWanted(reason));
        await whenLoaded.catch(() => {});
      }
      if (state.phase === 'loaded') beginUnload(state.running, reason);
      else if (state.phase === 'unloading' && reason === 'shutdown') state.drained.resolve();
      await gone.promise;
    },
    use() {
      if (state.phase !== 'loaded') return null;
      const idleMs = isIdle() ? clock.monotonicMs() - usedAtMs : 0;
      return { id: ref.id, idleMs, keepAliveMs: pinned ? Number.POSITIVE_INFINITY : keepAliveMs };
    },
    view: () => toView(ref, state, { pinned, expiresAt: idleTimer.expiresAt }),
    occupant() {
      const running = runningOf(state);
      if (running === null) return null;
      const standing = state.phase === 'unloading' ? 'leaving' : pinned ? 'pinned' : isIdle() ? 'idle' : 'busy';
      const bytes = deps.memory.residentBytes(running.worker.pid);
      return { id: ref.id, state: standing, bytes, usedAtMs, isOfPeople };
    },
  };
}

/** Tells everyone concerned of a model that was loaded, nothing having run on it yet. */
function tellLoaded(deps: ResidentDeps, ref: ModelRef, running: Running): void {
  const { memory, bus, log, calibrator } = deps;
  deps.failures.forget(ref.id);
  const { worker, share, plan, gpu, notes, loadMs } = running;
  const { model, id: variant } = ref;
  const { ready, pid } = worker;
  const measuredBytes = memory.measure(ref, plan, pid);
  bus.publish({
    type: 'model-loaded',
    model,
    variant,
    loadMs,
    expectedBytes: plan.expectedBytes.atLoad,
    measuredBytes,
  });
  for (const note of notes) log.warn({ model }, note);
  log.info({ model, loadMs: Math.round(loadMs), ...ready, gpu, pid }, 'model loaded');
  calibrator?.loaded(variant, {
    ...plan,
    ...ready,
    gpu: gpu.device?.backend ?? 'off',
    maxThreads: plan.threads,
    measure: worker.measure,
    tune: share.tune,
    setCalibration: worker.setCalibration,
  });
}

/** What fails a load and is of the file; memory, time and the end of the server are of the moment. */
const ofTheFile: readonly ErrorCode[] = ['invalid_model_file', 'model_load_failed'];

function tellFailure({ bus, crashes, failures, log }: ResidentDeps, ref: ModelRef, error: AppError): void {
  bus.publish({ type: 'model-load-failed', model: ref.model, variant: ref.id, code: error.code });
  if (ofTheFile.includes(error.code)) failures.note(ref, error.message);
  if (isDamaged(error)) crashes.record({ ...ref, during: 'damaged', reason: error.message });
  if (error.details?.['reason'] === 'crash') crashes.record({ ...ref, during: 'load', reason: error.message });
  log.error({ model: ref.model, err: error.cause ?? error }, `load failed: ${error.message}`);
}

/** On a GPU it may be the driver that computes wrongly: the CPU has the next try, and the last word. */
function tellDamage({ gpu, crashes, log }: ResidentDeps, ref: ModelRef, running: Running, error: AppError): void {
  const { device } = running.gpu;
  log.error({ model: ref.model, gpu: device?.name ?? null }, error.message);
  if (device) gpu.blame(ref.id, `it computed values that are not finite on ${device.name} (${device.backend})`);
  else crashes.record({ ...ref, during: 'damaged', reason: error.message });
}

function tellDeath({ bus, gpu, crashes }: ResidentDeps, ref: ModelRef, running: Running, reason: EndReason): void {
  bus.publish({ type: 'worker-died', model: ref.model, variant: ref.id, reason });
  // On the CPU it may well live; the request that was lost is tried there.
  const { device } = running.gpu;
  if (device) gpu.blame(ref.id, `its process ended on ${device.name} (${device.backend})`);
  crashes.record({ ...ref, during: 'run', reason });
}
