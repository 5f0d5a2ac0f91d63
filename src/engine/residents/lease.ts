import type { StreamEvent } from '../../core/events.ts';
import type { WorkerEmbedRequest, WorkerRankRequest, WorkerRequest } from '../../ipc/protocol.ts';
import type { Resident } from './model-worker.ts';
import type { Ticket } from './scheduler.ts';

/** A slot of a loaded model, for one request. */
export interface Lease {
  /** Time spent waiting for the slot, without the load. */
  readonly waitedMs: number;
  /**
   * One of these may be called, once. The slot is free again when the worker confirms the end, not when the
   * caller turns away.
   */
  generate(
    request: WorkerRequest,
    signal: AbortSignal,
    onToken: (stepEndedMs: number) => void,
  ): AsyncIterable<StreamEvent>;
  embed(request: WorkerEmbedRequest, signal: AbortSignal): ReturnType<Resident['embed']>;
  rank(request: WorkerRankRequest, signal: AbortSignal): ReturnType<Resident['rank']>;
  count(request: WorkerRequest, signal: AbortSignal): ReturnType<Resident['count']>;
  /** For a lease on which nothing was asked. */
  release(): void;
}

/** Ties a slot of the scheduler to the worker that serves it. */
export function leaseOn(resident: Resident, ticket: Ticket): Lease {
  return {
    waitedMs: ticket.waitedMs,
    release: ticket.release,
    generate: (request, signal, onToken) => resident.generate(request, signal, { onToken, onSettled: ticket.release }),
    embed: (request, signal) => resident.embed(request, signal, ticket.release),
    rank: (request, signal) => resident.rank(request, signal, ticket.release),
    count: (request, signal) => resident.count(request, signal, ticket.release),
  };
}
