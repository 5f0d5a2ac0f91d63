import type { WorkerReady } from '../../ipc/protocol.ts';
import type { UnloadReason } from '../../observe/bus.ts';
import { onCpu, type ResidentGpu, suits } from '../gpu/gpu.ts';
import type { LoadPlan } from '../memory/memory.ts';
import type { Launched } from './launcher.ts';
import type { LoadSettings, ModelRef } from './model-ref.ts';
import type { Scheduler } from './scheduler.ts';

/** A loaded model: its process, its queue, and how it was loaded. */
export interface Running extends Launched {
  scheduler: Scheduler;
  /** With which it was loaded. */
  plan: LoadPlan;
  gpu: ResidentGpu;
  /** What the plan changed against the wish, and what the worker warned of. */
  notes: string[];
  loadedAt: Date;
  loadMs: number;
}

/**
 * Where a model stands. It goes from the top to the bottom, with two exceptions: a load that another device can mend waits
 * for memory again, and one that fails for good is gone at once, as is a loaded model whose process died.
 */
export type ResidentState =
  | { phase: 'waiting-for-memory' }
  | { phase: 'starting'; plan: LoadPlan }
  | { phase: 'loaded'; running: Running }
  /** `drained`: resolved when the last request has ended. */
  | { phase: 'unloading'; running: Running; drained: PromiseWithResolvers<void>; reason: UnloadReason }
  | { phase: 'gone' };

/** How a loaded model is used. */
export interface ModelUse {
  id: string;
  /** 0: it works now. */
  idleMs: number;
  /** Idle time after which it would go; Infinity: never. */
  keepAliveMs: number;
}

/** What a loaded or loading model looks like from outside; a snapshot. */
export interface ResidentView {
  id: string;
  model: string;
  state: 'loading' | 'loaded' | 'unloading';
  pid: number | null;
  ready: WorkerReady | null;
  /** With which it was loaded; null while it waits for its memory. */
  plan: LoadPlan | null;
  pinned: boolean;
  threads: number;
  gpu: ResidentGpu;
  busySlots: number;
  queueDepth: number;
  loadedAt: Date | null;
  loadMs: number | null;
  expiresAt: Date | null;
  /** The first to go when memory is short or another model needs room. */
  endsNext: boolean;
  /** What the plan changed against the wish, and what the worker warned of. */
  notes: string[];
}

/** The process and queue of a state that has them. */
export function runningOf(state: ResidentState): Running | null {
  return state.phase === 'loaded' || state.phase === 'unloading' ? state.running : null;
}

/** Whether a model that was loaded with `settings` has what is asked for now; what is not asked for is never missed. */
export function meets(
  { worker: { ready }, gpu, plan }: Running,
  settings: LoadSettings,
  wished: LoadSettings,
): boolean {
  return (
    // What was asked for then, or what came of it.
    (wished.contextTokens === undefined ||
      [settings.contextTokens, ready.contextTokens].includes(wished.contextTokens)) &&
    (wished.slots === undefined || wished.slots === ready.slots) &&
    (wished.kvType === undefined || [settings.kvType, plan.kvType].includes(wished.kvType)) &&
    (wished.gpu === settings.gpu || suits(gpu, wished.gpu))
  );
}

/** `plan` is there as soon as the model has its memory. */
export function toView(
  ref: ModelRef,
  state: ResidentState,
  now: Pick<ResidentView, 'pinned' | 'expiresAt'>,
): Omit<ResidentView, 'endsNext'> {
  const running = runningOf(state);
  return {
    id: ref.id,
    model: ref.model,
    state: state.phase === 'loaded' ? 'loaded' : running === null ? 'loading' : 'unloading',
    pid: running?.worker.pid ?? null,
    ready: running?.worker.ready ?? null,
    plan: running?.plan ?? (state.phase === 'starting' ? state.plan : null),
    threads: running?.share.threads ?? 0,
    gpu: running?.gpu ?? onCpu(null),
    busySlots: running?.scheduler.busySlots ?? 0,
    queueDepth: running?.scheduler.queueDepth ?? 0,
    loadedAt: running?.loadedAt ?? null,
    loadMs: running?.loadMs ?? null,
    notes: running?.notes ?? [],
    ...now,
  };
}
