import type { StreamEvent } from '../../core/events.ts';
import type {
  WorkerDecisionRequest,
  WorkerEmbedRequest,
  WorkerRankRequest,
  WorkerRequest,
  WorkerTokensRequest,
} from '../../ipc/protocol.ts';
import type { ModelWorker } from './model-worker.ts';
import type { Ticket } from './scheduler.ts';

/** A slot of a loaded model, for one request. */
export interface Lease {
  /**
   * One of these may be called, once. The slot is free again when the worker confirms the end, not when the
   * caller turns away.
   */
  generate(
    request: WorkerRequest,
    signal: AbortSignal,
    onToken: (stepEndedMs: number) => void,
  ): AsyncIterable<StreamEvent>;
  embed(request: WorkerEmbedRequest, signal: AbortSignal): ReturnType<ModelWorker['embed']>;
  rank(request: WorkerRankRequest, signal: AbortSignal): ReturnType<ModelWorker['rank']>;
  decide(request: WorkerDecisionRequest, signal: AbortSignal): ReturnType<ModelWorker['decide']>;
  count(request: WorkerRequest, signal: AbortSignal): ReturnType<ModelWorker['count']>;
  tokens(request: WorkerTokensRequest, signal: AbortSignal): ReturnType<ModelWorker['tokens']>;
  /** For a lease on which nothing was asked. */
  release(): void;
}

/** Ties a slot of the scheduler to the worker that serves it. */
export function leaseOn(worker: ModelWorker, ticket: Ticket): Lease {
  return {
    release: ticket.release,
    generate: (request, signal, onToken) => worker.generate(request, signal, { onToken, onSettled: ticket.release }),
    embed: (request, signal) => worker.embed(request, signal, ticket.release),
    rank: (request, signal) => worker.rank(request, signal, ticket.release),
    decide: (request, signal) => worker.decide(request, signal, ticket.release),
    count: (request, signal) => worker.count(request, signal, ticket.release),
    tokens: (request, signal) => worker.tokens(request, signal, ticket.release),
  };
}
