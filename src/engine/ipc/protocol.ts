import type { ChatInput, Sampling } from '../../core/chat.ts';
import type { WireError } from '../../core/errors.ts';
import type { StreamEvent } from '../../core/events.ts';

/** What a worker needs to load its model; everything is explicit, the library decides nothing by itself. */
export interface WorkerOptions {
  /** Absolute path of the model file (first part of a split set). */
  modelPath: string;
  /** Context of one slot in tokens. */
  contextTokens: number;
  slots: number;
  /** Largest number of tokens in one decode call. */
  batchTokens: number;
  useMmap: boolean;
  /** Use the fused attention kernel where the model allows it. */
  flashAttention: boolean;
  /** Upper bound for `threads` messages later on. */
  maxThreads: number;
  threads: number;
  /** `off`, a backend name, or `auto` for the best one that works. */
  gpu: 'off' | 'auto' | 'cuda' | 'vulkan' | 'metal';
}

/** One request as the worker sees it: text in, events out. */
export interface WorkerRequest {
  /** Name to put into the `start` event. */
  model: string;
  input: ChatInput;
  sampling: Sampling;
  maxTokens: number | null;
  stop: string[];
}

/** Facts that only a loaded model can tell. */
export interface WorkerReady {
  contextTokens: number;
  slots: number;
  threads: number;
  gpu: string;
  gpuReason: string | null;
  /** Things an operator should know, such as a missing chat template. */
  warnings: string[];
}

/** Work done by one step of the batch loop, for metrics. */
export interface StepReport {
  /** Sequences that were part of the decode call. */
  sequences: number;
  /** Requests that got a token, by id, whether or not it gave text to show. */
  decoded: number[];
  /** Prompt tokens evaluated. */
  promptTokens: number;
}

export type ToWorker =
  | { type: 'load'; options: WorkerOptions }
  | { type: 'generate'; id: number; request: WorkerRequest }
  | { type: 'cancel'; id: number }
  | { type: 'threads'; threads: number }
  | { type: 'ping'; sequence: number }
  | { type: 'shutdown' };

/** One item of a step: an event of request `id`, or its failure. `finish` and errors are the last item of an id. */
export type WorkerItem = { id: number; event: StreamEvent } | { id: number; error: WireError };

export type FromWorker =
  | { type: 'ready'; ready: WorkerReady }
  | { type: 'load-failed'; error: WireError }
  /** All events of one step travel together. */
  | { type: 'step'; items: WorkerItem[]; report: StepReport | null }
  | { type: 'pong'; sequence: number };
