import type { ChatInput, OutputFormat, Sampling } from '../core/chat.ts';
import type { Decision, DecisionQuestion } from '../core/decision.ts';
import type { WireError } from '../core/errors.ts';
import type { StreamEvent } from '../core/events.ts';
import type { CpuKernels } from '../core/machine.ts';
import type { Operation } from '../core/model.ts';
import type { PlannedSettings } from '../core/plan.ts';
import type { TokensResult } from '../core/provider.ts';
import type { GpuBackend, GpuProbeReport, WorkerGpu } from './gpu.ts';

/** What a worker needs to load its model; everything is explicit, the library decides nothing by itself. */
export interface WorkerOptions
  extends Pick<PlannedSettings, 'contextTokens' | 'slots' | 'batchTokens' | 'useMmap' | 'kvType' | 'flashAttention'> {
  /** The one operation that the worker serves. */
  purpose: Operation;
  /** Its name, for errors that a client sees. */
  model: string;
  /** Absolute path of the model file (first part of a split set). */
  modelPath: string;
  /** Where states of prompts are kept beyond the process, and which from the first time on; null: nowhere. */
  vault: { folder: string; capBytes: number; minSavedMs: number; pinnedPrompts: string[] } | null;
  /** Upper bound for `threads` messages later on. */
  maxThreads: number;
  threads: number;
  /** Threads of the process's libuv pool that work; more than there are: all. */
  libuvThreads: number;
  /** Guess several tokens ahead where that pays. */
  drafts: boolean;
  /** Null: everything on the CPU. */
  gpu: WorkerGpu | null;
}

/** One request as the worker sees it: text in, events out. */
export interface WorkerRequest {
  /** Name to put into the `start` event. */
  model: string;
  input: ChatInput;
  sampling: Sampling;
  format: OutputFormat;
  /** Alternatives per token, or null when no log probabilities are wanted. */
  topLogprobs: number | null;
  maxTokens: number | null;
  /** Most tokens of reasoning, after which it is closed; left out: as many as the model likes. */
  reasoningTokens?: number;
  stop: string[];
  /** Whose kept states and texts it may use; null: those that all share. */
  owner: string | null;
  /** Text that the answer will mostly repeat; left out: nobody knows. */
  prediction?: string;
  /** As `ChatRequest.promptCache`. */
  promptCache: 'keep' | 'none' | 'pin';
  /** The `finish` event carries the tokens; left out: it does not. */
  returnsTokens?: boolean;
  /** Nobody waits for it, and whoever comes is not to wait for a long step of it; left out: somebody does. */
  isBackground?: boolean;
}

/** As `TokensRequest` of `core/provider.ts`, every wish said. */
export interface WorkerTokensRequest extends WorkerRequest {
  addStart: boolean;
  controlsAreText: boolean;
  wantsPieces: boolean;
}

/** Texts to turn into vectors; fields as in `core/embedding.ts`. */
export interface WorkerEmbedRequest {
  inputs: (string | number[])[];
  dimensions: number | null;
  truncate?: boolean;
}

/** Documents to rate against a query. */
export interface WorkerRankRequest {
  query: string;
  documents: string[];
}

/** Closed questions about one text; fields as in `core/decision.ts`. */
export interface WorkerDecisionRequest {
  state: string;
  questions: readonly DecisionQuestion[];
  /** Whose kept states it may use; null: those that all share. */
  owner: string | null;
}

/** One step to measure on an idle model. `decode`: logits of all `tokens`; `prefill`: of the last only. */
export interface WorkerMeasurement {
  phase: 'decode' | 'prefill';
  tokens: number;
  /** At most `maxThreads` of the load are used. */
  threads: number;
  libuvThreads: number;
}

/** Facts that only a loaded model can tell. */
export interface WorkerReady {
  contextTokens: number;
  slots: number;
  threads: number;
  /** Things an operator should know, such as a missing chat template. */
  warnings: string[];
  /** Left out: the library has none to choose from, or nobody can tell. */
  kernels?: CpuKernels;
}

/**
 * Where the beginning of a prompt that is not computed again came from: the state of its own slot, another slot's in
 * memory, the disk; `none`: all of it is computed.
 */
export type PrefixTier = 'slot' | 'ram' | 'disk' | 'none';

/** Work done by one step of the batch loop, for metrics. */
export interface StepReport {
  /** Sequences that were part of the decode call. */
  sequences: number;
  /** Requests that got a token, by id, whether or not it gave text to show. */
  decoded: number[];
  /** Prompt tokens evaluated. */
  promptTokens: number;
  /** Requests that began with it, by where the beginning of their prompt came from. */
  prefixes: PrefixTier[];
  /** Tokens guessed ahead, and how many of them the model confirmed and the answers took. */
  drafts: { proposed: number; accepted: number };
  /** Time from issuing the step to its last result. */
  milliseconds: number;
  /** When its last result was there, by the worker's own clock: steps are told late, several at once. */
  endedMs: number;
}

export type ToWorker =
  | { type: 'load'; options: WorkerOptions }
  /**
   * Instead of `load`: start this backend, null for the processor alone, and say what it sees. The answer is `probed` or
   * `load-failed`, or the end.
   */
  | { type: 'probe'; backend: GpuBackend | null }
  | { type: 'generate'; id: number; request: WorkerRequest }
  | { type: 'embed'; id: number; request: WorkerEmbedRequest }
  | { type: 'rank'; id: number; request: WorkerRankRequest }
  | { type: 'decide'; id: number; request: WorkerDecisionRequest }
  /** Render and tokenise, nothing else. */
  | { type: 'count'; id: number; request: WorkerRequest }
  /** Render, tokenise or the reverse, nothing else. */
  | { type: 'tokens'; id: number; request: WorkerTokensRequest }
  | { type: 'measure'; id: number; setting: WorkerMeasurement }
  | { type: 'cancel'; id: number }
  /** `prefillThreads`: for steps that read a prompt; left out: as many. */
  | { type: 'threads'; threads: number; prefillThreads?: number }
  /** Fields as in `Calibration`. */
  | { type: 'calibrated'; costOfTokens: readonly number[]; libuvThreads: number }
  | { type: 'ping'; sequence: number }
  | { type: 'shutdown' };

/** One item of a step: an event of request `id`, or its failure. `finish` and errors are the last item of an id. */
export type WorkerItem = { id: number; event: StreamEvent } | { id: number; error: WireError };

/**
 * The one answer to an `embed`, `rank`, `decide`, `count`, `tokens` or `measure` message, also after a cancel. `packed`: vectors as `packVector` writes
 * them. `milliseconds`: what the step took; null: the worker had work, or no place where a step would do no harm.
 */
export type WorkerAnswer =
  | { type: 'embedded'; id: number; packed: string[]; promptTokens: number }
  | { type: 'ranked'; id: number; scores: number[]; promptTokens: number }
  | { type: 'decided'; id: number; decisions: Decision[]; promptTokens: number; cachedTokens: number }
  | { type: 'counted'; id: number; promptTokens: number }
  | ({ type: 'tokens'; id: number } & Omit<TokensResult, 'model'>)
  | { type: 'measured'; id: number; milliseconds: number | null }
  | { type: 'refused'; id: number; error: WireError };

/** What happened in one step, or beside the steps when there is no report. */
export interface WorkerStep {
  items: WorkerItem[];
  report: StepReport | null;
}

export type FromWorker =
  | { type: 'ready'; ready: WorkerReady }
  | { type: 'load-failed'; error: WireError }
  | { type: 'probed'; report: GpuProbeReport }
  /** The model is loaded and its template is about to be tried: an endless one never gets to `ready`. */
  | { type: 'probing' }
  /** All events of one step travel together. */
  | ({ type: 'step' } & WorkerStep)
  /** Several fast steps in one message, in their order. */
  | { type: 'steps'; steps: WorkerStep[] }
  | WorkerAnswer
  /** As many parked threads of the worker's pool are to go on. */
  | { type: 'release'; threads: number }
  | { type: 'pong'; sequence: number };
