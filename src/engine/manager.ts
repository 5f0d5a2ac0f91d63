import type { Clock, Timer } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { Logger } from '../observe/logger.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { ThreadArbiter, ThreadShare } from './cpu/arbiter.ts';
import type { PressureWatch } from './cpu/pressure.ts';
import type { CrashGuard } from './crash-guard.ts';
import type { GgufFacts } from './gguf.ts';
import type { WorkerProcess } from './ipc/fork.ts';
import type { WorkerOptions, WorkerReady } from './ipc/protocol.ts';
import { type Lease, leaseOn } from './lease.ts';
import { decideRoom, type Occupant } from './memory/evict.ts';
import { prefersFlashAttention } from './memory/kv-cache.ts';
import type { LoadPlan, Refusal } from './memory/plan.ts';
import { refusalError } from './memory/refusal.ts';
import { purposeOf, slotsFor } from './purpose.ts';
import { type EndReason, type Resident, startResident } from './resident.ts';
import { createScheduler, type Scheduler } from './scheduler.ts';
import { withSignal } from './with-signal.ts';

/** A model variant to load, as the catalogue knows it. */
export interface ModelRef {
  /** Key of the resident: `name:quantization`. */
  id: string;
  /** Name for events, logs and metric labels. */
  model: string;
  filePath: string;
  facts: GgufFacts;
}

/** Settings of a load. */
export interface LoadSettings {
  contextTokens?: number;
  slots?: number;
  gpu: WorkerOptions['gpu'];
  keepAliveMs: number;
}

/** What a loaded or loading model looks like from outside; a snapshot. */
export interface ResidentView {
  id: string;
  model: string;
  state: 'loading' | 'loaded' | 'unloading';
  pid: number | null;
  ready: WorkerReady | null;
  threads: number;
  busySlots: number;
  queueDepth: number;
  loadedAt: Date | null;
  loadMs: number | null;
  expiresAt: Date | null;
  /** What the plan changed against the wish, and what the worker warned of. */
  notes: string[];
}

export interface Manager {
  /** Loads the model if need be, waits for a slot. `keepAliveMs`: overrides the model's idle time from now on. */
  lease(ref: ModelRef, settings: LoadSettings, signal: AbortSignal, keepAliveMs?: number): Promise<Lease>;
  /** Loads, or joins the load under way. A loaded model with other settings than those asked for is loaded again. */
  load(ref: ModelRef, settings: LoadSettings): Promise<void>;
  /** Lets running requests finish, then ends the worker and waits for its exit. */
  unload(id: string, reason: 'request' | 'idle' | 'room' | 'shutdown'): Promise<void>;
  residents(): ResidentView[];
  /** Ends all workers at once. */
  close(): Promise<void>;
}

interface Entry {
  ref: ModelRef;
  settings: LoadSettings;
  state: 'loading' | 'loaded' | 'unloading';
  /** Settles with the current state's work: the load, or the exit of the worker. */
  work: Promise<void>;
  resident: Resident | null;
  scheduler: Scheduler | null;
  share: ThreadShare | null;
  loadedAt: Date | null;
  loadMs: number | null;
  keepAliveMs: number;
  idleSinceMs: number;
  idleTimer: Timer | null;
  expiresAt: Date | null;
  notes: string[];
  /** Resolved when the last request ends, while unloading. */
  drained: PromiseWithResolvers<void> | null;
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
export function createManager(deps: {
  fork: () => WorkerProcess;
  /** Decides with the memory of this moment; `reclaimableBytes` is what ending idle models would free. */
  plan: (ref: ModelRef, settings: LoadSettings, reclaimableBytes: number) => LoadPlan | Refusal;
  residentBytes: (pid: number) => number;
  arbiter: ThreadArbiter;
  /** Is told how long steps take, to notice when others need the cores. */
  pressure: Pick<PressureWatch, 'observeStep' | 'forget'>;
  crashes: CrashGuard;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Where a model keeps states of prompts, or null. */
  vaultFor: (ref: ModelRef) => WorkerOptions['vault'];
  maxQueue: number;
  loadTimeoutMs: number;
}): Manager {
  const { clock, log, metrics } = deps;
  const entries = new Map<string, Entry>();
  /** The end of the line of loads. */
  let loadLine: Promise<void> = Promise.resolve();
  /** Resolved and renewed whenever a model becomes idle or goes away: room may have appeared. */
  let roomChanged = Promise.withResolvers<void>();
  let closing = false;

  const announceRoom = () => {
    roomChanged.resolve();
    roomChanged = Promise.withResolvers<void>();
  };
  const isIdle = (entry: Entry) =>
    entry.state === 'loaded' && entry.scheduler!.busySlots === 0 && entry.scheduler!.queueDepth === 0;

  const armIdleTimer = (entry: Entry) => {
    entry.idleTimer?.cancel();
    entry.idleTimer = null;
    entry.expiresAt = null;
    if (!isIdle(entry) || entry.keepAliveMs === Number.POSITIVE_INFINITY) return;
    entry.expiresAt = new Date(clock.now().getTime() + entry.keepAliveMs);
    entry.idleTimer = clock.after(entry.keepAliveMs, () => {
      if (isIdle(entry)) void unload(entry, 'idle');
    });
  };

  const onSchedulerChange = (entry: Entry) => {
    const busy = entry.scheduler!.busySlots > 0;
    entry.share?.setBusy(busy);
    if (busy) {
      entry.idleTimer?.cancel();
      entry.idleTimer = null;
      entry.expiresAt = null;
      return;
    }
    entry.idleSinceMs = clock.monotonicMs();
    entry.drained?.resolve();
    armIdleTimer(entry);
    if (isIdle(entry)) announceRoom();
  };

  const forget = (entry: Entry) => {
    entry.idleTimer?.cancel();
    entry.share?.remove();
    deps.pressure.forget(entry.ref.id);
    if (entries.get(entry.ref.id) === entry) entries.delete(entry.ref.id);
    announceRoom();
  };

  const unload = (entry: Entry, reason: 'request' | 'idle' | 'room' | 'shutdown'): Promise<void> => {
    if (entry.state === 'unloading') return entry.work;
    entry.state = 'unloading';
    entry.idleTimer?.cancel();
    entry.expiresAt = null;
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
    deps.crashes.record(entry.ref.id);
    entry.scheduler!.retire(movedOn);
    entry.drained?.resolve();
    if (entry.state === 'loaded') forget(entry);
  };

  /** Ends idle models, or waits, until the load has its memory. Throws the refusal when it can never fit. */
  const makeRoom = async (entry: Entry): Promise<LoadPlan> => {
    while (true) {
      if (closing) throw shuttingDown();
      const decision = decideRoom((bytes) => deps.plan(entry.ref, entry.settings, bytes), occupants());
      switch (decision.type) {
        case 'load':
          return decision.plan;
        case 'refuse':
          throw refusalError(entry.ref.model, decision.refusal);
        case 'evict':
          await unload(entries.get(decision.id)!, 'room');
          break;
        case 'await-exit':
          await entries.get(decision.id)!.work;
          break;
        case 'await-idle':
          await roomChanged.promise;
      }
    }
  };

  /** Models with a process. Only one load runs at a time, so nobody else's memory is about to grow. */
  const occupants = (): Occupant[] =>
    [...entries.values()].flatMap((entry) =>
      entry.state === 'loading'
        ? []
        : {
            id: entry.ref.id,
            state: entry.state === 'unloading' ? 'leaving' : isIdle(entry) ? 'idle' : 'busy',
            bytes: deps.residentBytes(entry.resident!.pid),
            usedAtMs: entry.idleSinceMs,
          },
    );

  const start = async (entry: Entry): Promise<void> => {
    const startedMs = clock.monotonicMs();
    const { ref } = entry;
    const plan = await makeRoom(entry);
    const mode = purposeOf(ref.facts);
    const maxThreads = deps.arbiter.limitFor(ref.facts.tensorBytes);
    let resident: Resident | null = null;
    const share = deps.arbiter.add(maxThreads, (threads) => resident?.setThreads(threads));
    entry.share = share;
    resident = await startResident({
      worker: deps.fork(),
      options: {
        mode,
        modelPath: ref.filePath,
        contextTokens: plan.contextTokens,
        slots: slotsFor(mode, plan.slots, entry.settings.slots),
        batchTokens: plan.batchTokens,
        useMmap: plan.useMmap,
        vault: deps.vaultFor(ref),
        flashAttention: prefersFlashAttention(ref.facts),
        maxThreads,
        threads: share.threads,
        gpu: entry.settings.gpu,
      },
      loadTimeoutMs: deps.loadTimeoutMs,
      clock,
      log,
      onStep(report) {
        deps.pressure.observeStep(ref.id, report.milliseconds, share.threads, report.promptTokens + report.sequences);
        metrics.steps.inc({ model: ref.model });
        metrics.stepSequences.observe({ model: ref.model }, report.sequences);
        metrics.evaluatedPromptTokens.inc({ model: ref.model }, report.promptTokens);
      },
      onEnd: (reason) => onEnd(entry, reason),
    });
    resident.setThreads(share.threads);
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
    entry.notes = [...plan.notes, ...resident.ready.warnings];
    for (const note of entry.notes) log.warn({ model: ref.model }, note);
    log.info(
      { model: ref.model, loadMs: Math.round(entry.loadMs), ...resident.ready, pid: resident.pid },
      'model loaded',
    );
    if (closing) await unload(entry, 'shutdown');
    // The request that asked for the load takes its slot first; without one the idle time starts now.
    else if (entry.keepAliveMs > 0) armIdleTimer(entry);
  };

  const beginLoad = (ref: ModelRef, settings: LoadSettings): Entry => {
    if (closing) throw shuttingDown();
    deps.crashes.check(ref.id);
    const entry: Entry = {
      ref,
      settings,
      state: 'loading',
      work: Promise.resolve(),
      resident: null,
      scheduler: null,
      share: null,
      loadedAt: null,
      loadMs: null,
      keepAliveMs: settings.keepAliveMs,
      idleSinceMs: 0,
      idleTimer: null,
      expiresAt: null,
      notes: [],
      drained: null,
    };
    entries.set(ref.id, entry);
    entry.work = loadLine
      .then(() => start(entry))
      .catch((thrown: unknown) => {
        const error = toAppError(thrown);
        forget(entry);
        metrics.loads.inc({ model: ref.model, result: error.code });
        if (error.details?.['reason'] === 'crash') deps.crashes.record(ref.id);
        log.error({ model: ref.model, err: error.cause ?? error }, `load failed: ${error.message}`);
        throw error;
      });
    loadLine = entry.work.catch(() => {});
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
      armIdleTimer(entry);
    },
    async unload(id, reason) {
      const entry = entries.get(id);
      if (!entry) return;
      if (entry.state === 'loading') await entry.work.catch(() => {});
      if (entries.get(id) === entry) await unload(entry, reason);
    },
    residents: () =>
      [...entries.values()].map((entry) => ({
        id: entry.ref.id,
        model: entry.ref.model,
        state: entry.state,
        pid: entry.resident?.pid ?? null,
        ready: entry.resident?.ready ?? null,
        threads: entry.share?.threads ?? 0,
        busySlots: entry.scheduler?.busySlots ?? 0,
        queueDepth: entry.scheduler?.queueDepth ?? 0,
        loadedAt: entry.loadedAt,
        loadMs: entry.loadMs,
        expiresAt: entry.expiresAt,
        notes: entry.notes,
      })),
    async close() {
      closing = true;
      announceRoom();
      await Promise.allSettled(
        [...entries.values()].map((entry) => (entry.state === 'loading' ? entry.work : unload(entry, 'shutdown'))),
      );
    },
  };
}

/** Whether settings that were asked for differ from those a model was loaded with; what was not asked for never does. */
function differs(entry: Entry, wished: LoadSettings): boolean {
  const ready = entry.resident!.ready;
  return (
    (wished.contextTokens !== undefined &&
      wished.contextTokens !== (entry.settings.contextTokens ?? ready.contextTokens)) ||
    (wished.slots !== undefined && wished.slots !== ready.slots) ||
    wished.gpu !== entry.settings.gpu
  );
}

function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server is shutting down.', { retryAfterSeconds: 5 });
}
