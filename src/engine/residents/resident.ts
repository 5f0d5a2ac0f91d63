import type { Timer } from '../../core/clock.ts';
import type { WorkerReady } from '../../ipc/protocol.ts';
import type { GpuWish } from '../../machine/gpu/device.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';
import type { TunedShare } from '../calibration/tuned-share.ts';
import { onCpu, type ResidentGpu, suits } from '../gpu/resident-gpu.ts';
import type { LoadPlan } from '../memory/plan.ts';
import type { Resident } from './model-worker.ts';
import type { Occupant } from './room.ts';
import type { Scheduler } from './scheduler.ts';

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
  gpu: GpuWish;
  keepAliveMs: number;
  /** Neither idle time nor another load ends a pinned model; left out: as it is, at first not. */
  pin?: boolean;
  /** Why this variant was chosen; shown with the plan's own notes. */
  notes?: string[];
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
  /** What the plan changed against the wish, and what the worker warned of. */
  notes: string[];
}

/** One model of the manager, from the wish to load it to the exit of its process. */
export interface Entry {
  ref: ModelRef;
  settings: LoadSettings;
  state: 'loading' | 'loaded' | 'unloading';
  /** Settles with the current state's work: the load, or the exit of the worker. */
  work: Promise<void>;
  plan: LoadPlan | null;
  resident: Resident | null;
  scheduler: Scheduler | null;
  share: TunedShare | null;
  gpu: ResidentGpu;
  loadedAt: Date | null;
  loadMs: number | null;
  keepAliveMs: number;
  pinned: boolean;
  idleSinceMs: number;
  idleTimer: Timer | null;
  expiresAt: Date | null;
  notes: string[];
  /** Resolved when the last request ends, while unloading. */
  drained: PromiseWithResolvers<void> | null;
}

export function newEntry(ref: ModelRef, settings: LoadSettings): Entry {
  return {
    ref,
    settings,
    state: 'loading',
    work: Promise.resolve(),
    plan: null,
    resident: null,
    scheduler: null,
    share: null,
    gpu: onCpu(null),
    loadedAt: null,
    loadMs: null,
    keepAliveMs: settings.keepAliveMs,
    pinned: settings.pin ?? false,
    idleSinceMs: 0,
    idleTimer: null,
    expiresAt: null,
    notes: [],
    drained: null,
  };
}

/** Loaded, and nobody uses it or waits for it. */
export function isIdle(entry: Entry): boolean {
  return entry.state === 'loaded' && entry.scheduler!.busySlots === 0 && entry.scheduler!.queueDepth === 0;
}

/** Whether settings that were asked for differ from those a model was loaded with; what was not asked for never does. */
export function differs(entry: Entry, wished: LoadSettings): boolean {
  const ready = entry.resident!.ready;
  return (
    (wished.contextTokens !== undefined &&
      wished.contextTokens !== (entry.settings.contextTokens ?? ready.contextTokens)) ||
    (wished.slots !== undefined && wished.slots !== ready.slots) ||
    (wished.gpu !== entry.settings.gpu && !suits(entry.gpu, wished.gpu))
  );
}

/** The model as eviction sees it; null while it has no process. */
export function toOccupant(entry: Entry, residentBytes: (pid: number) => number): Occupant | null {
  if (entry.state === 'loading') return null;
  const state =
    entry.state === 'unloading' ? 'leaving' : entry.pinned ? 'pinned' : isIdle(entry) ? 'idle' : ('busy' as const);
  return { id: entry.ref.id, state, bytes: residentBytes(entry.resident!.pid), usedAtMs: entry.idleSinceMs };
}

export function toView(entry: Entry): ResidentView {
  return {
    id: entry.ref.id,
    model: entry.ref.model,
    state: entry.state,
    pid: entry.resident?.pid ?? null,
    ready: entry.resident?.ready ?? null,
    plan: entry.plan,
    pinned: entry.pinned,
    threads: entry.share?.threads ?? 0,
    gpu: entry.gpu,
    busySlots: entry.scheduler?.busySlots ?? 0,
    queueDepth: entry.scheduler?.queueDepth ?? 0,
    loadedAt: entry.loadedAt,
    loadMs: entry.loadMs,
    expiresAt: entry.expiresAt,
    notes: entry.notes,
  };
}
