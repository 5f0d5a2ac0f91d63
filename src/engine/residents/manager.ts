import { AppError, toAppError } from '../../core/errors.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import { placeModel } from '../gpu/place.ts';
import { residentGpu } from '../gpu/resident-gpu.ts';
import type { GpuSelector } from '../gpu/select.ts';
import type { LoadPlan, Refusal } from '../memory/plan.ts';
import { refusalError } from '../memory/refusal.ts';
import type { CrashGuard } from './crash-guard.ts';
import { createKeepAlive } from './keep-alive.ts';
import { type LaunchDeps, launchModel } from './launch.ts';
import { type Lease, leaseOn } from './lease.ts';
import { createAdmission } from './load-queue.ts';
import type { EndReason } from './model-worker.ts';
import {
  differs,
  type Entry,
  isIdle,
  type LoadSettings,
  type ModelRef,
  newEntry,
  type ResidentView,
  toOccupant,
  toView,
} from './resident.ts';
import { createScheduler } from './scheduler.ts';
import { withSignal } from './with-signal.ts';

export type { LoadSettings, ModelRef, ResidentView } from './resident.ts';

export interface Manager {
  /** Loads the model if need be, waits for a slot. `keepAliveMs`: overrides the model's idle time from now on. */
  lease(ref: ModelRef, settings: LoadSettings, signal: AbortSignal, keepAliveMs?: number): Promise<Lease>;
  /** Loads, or joins the load under way. A loaded model with other settings than those asked for is loaded again. */
  load(ref: ModelRef, settings: LoadSettings): Promise<void>;
  /** Lets running requests finish, then ends the worker and waits for its exit. */
  unload(id: string, reason: UnloadReason): Promise<void>;
  /** Ends the idle model that was not used for longest, if there is one. */
  relieve(): void;
  residents(): ResidentView[];
  /** Ends all workers at once. */
  close(): Promise<void>;
}

/** Why a model is ended in good order; `pressure`: others need the memory. */
export type UnloadReason = 'request' | 'idle' | 'room' | 'pressure' | 'shutdown';

/** Is told what happens to models; must not throw. */
export interface ManagerObserver {
  /** A model was loaded with this plan, and nothing has run on it yet. */
  loaded?(event: { ref: ModelRef; plan: LoadPlan; pid: number }): void;
  /** The process of a model is gone, or its load has failed. */
  gone?(): void;
}

/** Internal to this file and `lease`: the resident went away before the request got a slot; try again. */
const movedOn = new AppError('worker_crashed', 'The model was unloaded before the request began.', {
  retryAfterSeconds: 1,
});

/**
 * Owns every loaded model. One load runs at a time; requests for a model that is loading join it; a load that needs
 * room ends idle models, least recently used first, and waits for their processes to be gone.
 * State is only changed synchronously; slow work happens in promises kept in the entry.
 */
export function createManager(
  deps: LaunchDeps & {
    /** Decides with the memory of this moment; `reclaimableBytes` is what ending idle models would free. */
    plan: (
      ref: ModelRef,
      settings: LoadSettings,
      reclaimableBytes: number,
      device: GpuDevice | null,
    ) => LoadPlan | Refusal;
    gpu: GpuSelector;
    residentBytes: (pid: number) => number;
    crashes: CrashGuard;
    observers: readonly ManagerObserver[];
    /** Why nothing may be loaded, or nothing asked, at the moment; null: all may go on. */
    refusal: (of: 'load' | 'request') => AppError | null;
    maxQueue: number;
  },
): Manager {
  const { clock, log, metrics } = deps;
  const entries = new Map<string, Entry>();
  let closing = false;

  const keepAlive = createKeepAlive({ clock, unload: (entry) => void unload(entry, 'idle') });
  const admission = createAdmission({
    // Only one load runs at a time, so nobody else's memory is about to grow.
    occupants: () => [...entries.values()].flatMap((entry) => toOccupant(entry, deps.residentBytes) ?? []),
    evict: (id) => unload(entries.get(id)!, 'room'),
    exitOf: (id) => entries.get(id)!.work,
  });

  const onSchedulerChange = (entry: Entry) => {
    const busy = entry.scheduler!.busySlots > 0;
    entry.share?.setBusy(busy);
    deps.calibrator?.setBusy(entry.ref.id, busy);
    if (busy) return keepAlive.disarm(entry);
    entry.idleSinceMs = clock.monotonicMs();
    entry.drained?.resolve();
    keepAlive.arm(entry);
    if (isIdle(entry)) admission.roomChanged();
  };

  const forget = (entry: Entry) => {
    keepAlive.disarm(entry);
    entry.share?.remove();
    deps.pressure.forget(entry.ref.id);
    deps.calibrator?.forget(entry.ref.id);
    if (entries.get(entry.ref.id) === entry) entries.delete(entry.ref.id);
    admission.roomChanged();
    for (const observer of deps.observers) observer.gone?.();
  };

  const unload = (entry: Entry, reason: UnloadReason): Promise<void> => {
    if (entry.state === 'unloading') return entry.work;
    entry.state = 'unloading';
    keepAlive.disarm(entry);
    entry.drained = Promise.withResolvers<void>();
    const { resident, scheduler } = entry;
    // Those who wait go back to `lease`, which loads the model again once this process is gone.
    scheduler!.retire(movedOn);
    if (scheduler!.busySlots === 0 || reason === 'shutdown') entry.drained.resolve();
    entry.work = entry.drained.promise.then(async () => {
      await resident!.stop();
      forget(entry);
      metrics.unloads.inc({ model: entry.ref.model, reason });
      log.info({ model: entry.ref.model, reason }, 'model unloaded');
    });
    return entry.work;
  };

  const onEnd = (entry: Entry, reason: EndReason) => {
    if (reason === 'asked') return;
    metrics.workerRestarts.inc({ model: entry.ref.model, reason });
    metrics.unloads.inc({ model: entry.ref.model, reason: 'crash' });
    // On the CPU it may well live; the request that was lost is tried there.
    const { device } = entry.gpu;
    if (device) deps.gpu.blame(entry.ref.id, `its process ended on ${device.name} (${device.backend})`);
    deps.crashes.record({ ...entry.ref, during: 'run', reason });
    entry.scheduler!.retire(movedOn);
    entry.drained?.resolve();
    if (entry.state === 'loaded') forget(entry);
  };

  /** Waits for turn and memory, then loads, on a GPU if one suits. */
  const start = async (entry: Entry): Promise<void> => {
    const { ref, settings } = entry;
    await placeModel(deps, { id: ref.id, wish: settings.gpu }, async (device, reason) => {
      const grant = await admission.enter(
        // Another model may have gone there while this one waited.
        (bytes) => deps.plan(ref, settings, bytes, device && { ...device, freeBytes: deps.gpu.freeBytes(device) }),
        (refusal) => refusalError(ref.model, refusal),
      );
      try {
        await startWith(entry, grant.plan, device, reason);
      } finally {
        grant.done();
      }
    });
  };

  const startWith = async (
    entry: Entry,
    granted: LoadPlan,
    wished: GpuDevice | null,
    reason: string | null,
  ): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const { ref } = entry;
    const gpu = residentGpu(granted, wished, reason);
    const { plan, resident, share } = await launchModel(
      deps,
      { ref, settings: entry.settings, granted, device: gpu.device },
      {
        planned: (plan) => {
          entry.plan = plan;
        },
        ended: (reason) => onEnd(entry, reason),
      },
    );
    entry.share = share;
    entry.gpu = gpu;
    entry.resident = resident;
    entry.scheduler = createScheduler({
      slots: resident.ready.slots,
      maxQueue: deps.maxQueue,
      clock,
      onChange: () => onSchedulerChange(entry),
    });
    entry.state = 'loaded';
    entry.loadedAt = clock.now();
    entry.loadMs = clock.monotonicMs() - startedMs;
    entry.idleSinceMs = clock.monotonicMs();
    metrics.loads.inc({ model: ref.model, result: 'loaded' });
    metrics.loadSeconds.observe({ model: ref.model }, entry.loadMs / 1000);
    entry.notes = [...(entry.settings.notes ?? []), ...plan.notes, ...resident.ready.warnings];
    for (const note of entry.notes) log.warn({ model: ref.model }, note);
    log.info(
      { model: ref.model, loadMs: Math.round(entry.loadMs), ...resident.ready, gpu, pid: resident.pid },
      'model loaded',
    );
    for (const observer of deps.observers) observer.loaded?.({ ref, plan, pid: resident.pid });
    const { measure, setCalibration, ready } = resident;
    deps.calibrator?.loaded(ref.id, {
      ...plan,
      ...ready,
      gpu: gpu.device?.backend ?? 'off',
      maxThreads: plan.threads,
      measure,
      tune: share.tune,
      setCalibration,
    });
    if (closing) await unload(entry, 'shutdown');
    // The request that asked for the load takes its slot first; without one the idle time starts now.
    else if (entry.keepAliveMs > 0) keepAlive.arm(entry);
  };

  const beginLoad = (ref: ModelRef, settings: LoadSettings): Entry => {
    if (closing) throw shuttingDown();
    deps.crashes.check(ref.id);
    const short = deps.refusal('load');
    if (short) throw short;
    const entry = newEntry(ref, settings);
    entries.set(ref.id, entry);
    entry.work = start(entry).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      forget(entry);
      metrics.loads.inc({ model: ref.model, result: error.code });
      if (error.details?.['reason'] === 'crash') deps.crashes.record({ ...ref, during: 'load', reason: error.message });
      log.error({ model: ref.model, err: error.cause ?? error }, `load failed: ${error.message}`);
      throw error;
    });
    // Whoever wants the model waits for this; when nobody does any more, the failure is in the log.
    entry.work.catch(() => {});
    return entry;
  };

  /** The loaded entry of a model, loading it first if need be. */
  const loaded = async (ref: ModelRef, settings: LoadSettings, signal: AbortSignal): Promise<Entry> => {
    while (true) {
      const entry = entries.get(ref.id) ?? beginLoad(ref, settings);
      if (entry.state === 'loaded') return entry;
      const unloading = entry.state === 'unloading';
      await withSignal(entry.work, signal).catch((error: unknown) => {
        // Somebody else's unload is not this request's failure.
        if (!unloading || signal.aborted) throw error;
      });
    }
  };

  return {
    async lease(ref, settings, signal, keepAliveMs) {
      while (true) {
        const short = deps.refusal('request');
        if (short) throw short;
        const entry = await loaded(ref, settings, signal);
        if (keepAliveMs !== undefined) entry.keepAliveMs = keepAliveMs;
        try {
          const ticket = await entry.scheduler!.acquire(signal);
          return leaseOn(entry.resident!, ticket);
        } catch (error) {
          if (error !== movedOn) throw error;
        }
      }
    },
    async load(ref, settings) {
      const never = new AbortController().signal;
      const current = entries.get(ref.id);
      if (current?.state === 'loaded' && differs(current, settings)) await unload(current, 'request');
      const entry = await loaded(ref, settings, never);
      entry.keepAliveMs = settings.keepAliveMs;
      entry.pinned = settings.pin ?? entry.pinned;
      keepAlive.arm(entry);
    },
    async unload(id, reason) {
      const entry = entries.get(id);
      if (!entry) return;
      if (entry.state === 'loading') await entry.work.catch(() => {});
      if (entries.get(id) === entry) await unload(entry, reason);
    },
    relieve() {
      const idle = [...entries.values()].filter((entry) => isIdle(entry) && !entry.pinned);
      const oldest = idle.sort((a, b) => a.idleSinceMs - b.idleSinceMs)[0];
      if (oldest) void unload(oldest, 'pressure');
    },
    residents: () => [...entries.values()].map(toView),
    async close() {
      closing = true;
      admission.close(shuttingDown());
      await Promise.allSettled(
        [...entries.values()].map((entry) => (entry.state === 'loading' ? entry.work : unload(entry, 'shutdown'))),
      );
    },
  };
}

function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });
}
