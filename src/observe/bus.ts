import type { Ability } from '../core/model.ts';
import type { Usage } from '../core/usage.ts';

/** Where the beginning of a prompt came from: its own slot, another slot's memory, the disk, or nowhere. */
type PrefixTier = 'slot' | 'ram' | 'disk' | 'none';

/** How short memory is: from `none` to `shed`, in which requests are turned away. */
export type MemoryLevel = 'none' | 'hold' | 'shrink' | 'shed';

/**
 * What happens in the server, as facts that have already happened. Whoever counts or shows them, as the metrics do, listens
 * here; whoever makes them knows no listener. Prompts, answers, paths and keys are in none of them.
 */
export type AppEvent =
  // Models of this machine. `variant` is `name:quantization`.
  | {
      type: 'model-loaded';
      model: string;
      variant: string;
      loadMs: number;
      /** Bytes that the plan expected right after the load, and that were measured; null: not measured. */
      expectedBytes: number;
      measuredBytes: number | null;
    }
  /** A load failed; `code` is that of its error. */
  | { type: 'model-load-failed'; model: string; variant: string; code: string }
  | { type: 'model-gone'; model: string; variant: string; reason: UnloadReason }
  /** A worker ended without being asked to; `model-gone` with the reason `crash` follows. */
  | { type: 'worker-died'; model: string; variant: string; reason: string }
  /**
   * One step of a batch loop. `prefixes`: for each request that began, where the beginning of its prompt came from.
   * `drafted` and `accepted`: tokens that were guessed ahead, and those that were right.
   */
  | {
      type: 'step';
      model: string;
      sequences: number;
      promptTokens: number;
      prefixes: readonly PrefixTier[];
      drafted: number;
      accepted: number;
    }
  /** A request has its slot, after waiting so long for it. */
  | { type: 'slot-taken'; model: string; waitedMs: number }
  /** A model of this machine made a token; `gapMs`: since the step before it for the same request, null: it is the first. */
  | { type: 'token'; model: string; gapMs: number | null }
  /** Prompt tokens that were computed outside of a step: those of vectors and scores. */
  | { type: 'prompt-evaluated'; model: string; tokens: number }
  | { type: 'calibrated'; model: string; result: string }
  | { type: 'memory-level'; level: MemoryLevel }
  // Requests, whoever answers them. `provider` is `none` and `model` `unknown` where a request ended before anybody was asked, or knew its name.
  | { type: 'request-began'; requestId: string }
  /** The first content of an answer, so long after the request arrived. */
  | { type: 'request-first-token'; requestId: string; provider: string; model: string; latencyMs: number }
  | {
      type: 'request-ended';
      requestId: string;
      provider: string;
      model: string;
      /** What was asked for. */
      operation: Ability;
      /** A coarse finish reason (`stop`, `length`, `tool_calls`, `content_filter`), `cancelled`, or the code of an error. */
      outcome: string;
      usage: Usage;
      /** From the slot, or the begin of the answer, to its end; null: it never began. */
      serviceMs: number | null;
    }
  /** What one try at a provider has cost, in nano-USD; null: unknown. */
  | { type: 'attempt-settled'; provider: string; model: string; costNanoUsd: bigint | null }
  /** A provider's model failed too often, is tried again, or answers again. */
  | { type: 'circuit-changed'; provider: string; model: string; state: 'closed' | 'open' | 'half_open' }
  /** How a provider does, as far as its answers tell, is another than it was. */
  | {
      type: 'provider-health-changed';
      provider: string;
      status: 'healthy' | 'degraded' | 'unhealthy' | 'unknown';
      /** Of its last answer; null: there was none. */
      latencyMs: number | null;
    }
  /** Little is left of what may be sent to a provider. */
  | { type: 'provider-limit-low'; provider: string; limit: number; remaining: number; resetAt: Date }
  /** Closed questions that were answered, and those that the model could not be read for. */
  | { type: 'decided'; model: string; decided: number; refused: number }
  /** An item of a batch was answered or has failed, or it waits again. */
  | { type: 'batch-item-ended'; outcome: 'succeeded' | 'errored' | 'put-back'; tookMs: number }
  /** Somebody was told of the end of a batch, or could not be. */
  | { type: 'webhook-sent'; outcome: 'delivered' | 'failed' | 'given-up' }
  // The model store.
  | { type: 'pull-changed'; id: string; model: string; state: string; receivedBytes: number; totalBytes: number }
  | { type: 'pull-received'; bytes: number }
  /** `result`: done, cancelled or an error code. */
  | { type: 'pull-ended'; id: string; model: string; result: string };

/** Why a model went; `pressure`: others need the memory; `damaged`: what it computes is of no use. */
export type UnloadReason = 'request' | 'idle' | 'room' | 'pressure' | 'shutdown' | 'damaged' | 'crash';

/** Hands events on to whoever wants them, at once and in order. */
export interface Bus {
  /** Returns when every listener has seen the event. One that throws is reported to the log and disturbs nobody. */
  publish(event: AppEvent): void;
  /** Calls `listener` with every event from now on; the returned function ends that. */
  subscribe(listener: (event: AppEvent) => void): () => void;
}

/** `onError`: is told what a listener threw. */
export function createBus(onError: (error: unknown, event: AppEvent) => void): Bus {
  const listeners = new Set<(event: AppEvent) => void>();
  return {
    publish(event) {
      for (const listener of listeners) {
        try {
          listener(event);
        } catch (error) {
          onError(error, event);
        }
      }
    },
    subscribe(listener) {
      // Wrapped: the same function may listen twice, and either end must not end the other.
      const own = (event: AppEvent) => listener(event);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
  };
}
