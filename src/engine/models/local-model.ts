import type { CpuKernels } from '../../core/machine.ts';
import type { Operation } from '../../core/model.ts';
import type { KvType, PlannedSettings } from '../../core/plan.ts';
import type { PaceGain, QuantizationAdvice } from '../../core/quantization-advice.ts';

/** State of a model in this server. `invalid`: the file cannot be used, `reason` says why. */
export type ModelState = 'unloaded' | 'loading' | 'loaded' | 'unloading' | 'quarantined' | 'invalid';

/** One quantization of a model on disk. */
interface ModelVariant {
  /** Lower-case label, for example `q4_k_m`, or `unknown`. */
  quantization: string;
  sizeBytes: number;
  /** File names relative to the model folder, in part order. */
  files: string[];
  /** Mean bits per weight, or null when the parameter count is unknown. */
  bitsPerWeight: number | null;
  /** Why this variant cannot be loaded, or null. */
  invalidReason: string | null;
  /** Physical memory that it would take by default, as planned now; null when it cannot be loaded. */
  expectedBytes: number | null;
  /** Whether it would fit now, idle models ended; null when it cannot be loaded. */
  fits: boolean | null;
}

/** What the server says of a model, on every route that lists or shows models. */
export interface LocalModel {
  /** Name to ask for; `name:quantization` asks for one variant. */
  name: string;
  /** Other names that lead here (`default`, the file's stem). */
  aliases: string[];
  format: 'gguf';
  /** What it was made for: to continue text, to make vectors of texts, or to rate documents. */
  purpose: Operation;
  state: ModelState;
  /** Why it is invalid or quarantined, or why its last load failed; else null. */
  reason: string | null;
  architecture: string | null;
  /** Its chat template has a place for reasoning. */
  thinks: boolean;
  embeddingLength: number | null;
  parameterCount: number | null;
  /** Context the model was trained with, in tokens. */
  trainedContextTokens: number | null;
  /** The variant that is loaded, or the one that a load would choose. */
  quantization: string;
  /** Size on disk of that variant. */
  sizeBytes: number;
  variants: ModelVariant[];
  /** A quantization of about that size that this processor is faster with; null: none that is known of. */
  advice: QuantizationAdvice | null;
  /** Newest file time of the model. */
  modifiedAt: Date;
  /** Present while loaded. */
  loaded: LoadedModel | null;
}

/** Settings and measured facts of a loaded model. */
export interface LoadedModel {
  /** What the load was planned with. */
  plan: PlannedSettings | null;
  /** Neither idle time nor another load ends it. */
  pinned: boolean;
  contextTokens: number;
  slots: number;
  /** Physical memory of the model's process in bytes, measured; null until the first measurement. */
  residentBytes: number | null;
  threads: number;
  /** What the library took for the processor; null: it has none to choose from, or nobody can tell. */
  kernels: (CpuKernels & { gainOfBuilt: PaceGain | null }) | null;
  /** Of all its answers together over the last seconds; null: it wrote none in them. */
  tokensPerSecond: number | null;
  /** What was measured of it on this machine; null: nothing yet, or it is not measured. */
  calibration: ModelCalibration | null;
  /** `off`: on the CPU; else the backend. */
  gpu: string;
  /** Name of the GPU, or null. */
  gpuDevice: string | null;
  /** Layers on the GPU, the output being one of them. */
  gpuLayers: number;
  /** Video memory as planned. */
  gpuBytes: number;
  /** Why no GPU is used although one was asked for or is there, or null. */
  gpuReason: string | null;
  /** What was changed against the wish or the default when it was loaded, one sentence each. */
  notes: string[];
  loadedAt: Date;
  loadMs: number;
  /** When idle unload is due; null: never, or busy now. */
  expiresAt: Date | null;
  /** The first to go when memory is short or another model needs room. */
  endsNext: boolean;
  activeRequests: number;
  queuedRequests: number;
}

/** The settings that were fastest when the machine was idle. */
export interface ModelCalibration {
  decodeThreads: number;
  prefillThreads: number;
  /** One stream, with those threads. */
  decodeTokensPerSecond: number;
  /** With those threads and the fastest portion that was measured; null: there was no time for it. */
  prefillTokensPerSecond: number | null;
  /** Time of a step with k tokens against one with a single token, at index k - 1. */
  costOfTokens: number[];
  measuredAt: Date;
}

/** What a client may ask for when it loads a model; a field left out means: as configured. */
export interface LoadWish {
  quantization?: string;
  preferGpu?: boolean;
  contextTokens?: number;
  /** Slots, 1 to 32: how many requests decode at the same time. */
  parallel?: number;
  /** How keys and values are kept; 8 bits only where the model allows it. */
  kvType?: KvType;
  /** Milliseconds; Infinity: never unload; 0: unload when idle at once. */
  keepAliveMs?: number;
  /** Neither idle time nor another load ends a pinned model. */
  pin?: boolean;
  /** Also where it does not fit: with the least settings, after every idle model. */
  force?: boolean;
}
