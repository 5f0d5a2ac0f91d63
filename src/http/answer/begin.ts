import type { BatchedCall, CallContext, Principal, RoutingWish } from '../../core/call.ts';
import type { ChatRequest } from '../../core/chat.ts';
import { type AppError, toAppError } from '../../core/errors.ts';
import type { BegunAnswer } from '../../gateway/gateway.ts';
import { type FieldNames, inDialect } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';

/** Who asks, over HTTP or on a socket, and what the dialect calls the fields of the core. */
export interface Asker {
  requestId: string;
  principal: Principal;
  /** Aborted when the asker is gone. */
  signal: AbortSignal;
  /** Where the request may go. */
  routing: RoutingWish;
  /** How long the first content may take, in milliseconds; left out: as configured. */
  deadlineInMs?: number | null;
  /** Servers of Hearth that it came through; left out: none. */
  hops?: readonly string[];
  /** Gives way to whoever waits for an answer; left out: it does not. */
  isBackground?: boolean;
  /** It goes with others in a batch of a provider's; left out: by itself. */
  batched?: BatchedCall;
  names: FieldNames;
}

/** An answer that has begun; its `events` throw whatever its provider throws. */
export interface Begun extends BegunAnswer {
  requestId: string;
  /** Milliseconds since it was asked for. */
  latencyMs(): number;
  /** Makes an error in the names of the dialect of whatever `events` threw. */
  fail(thrown: unknown): AppError;
}

/** What travels beside the request of an asker. */
export function contextOf(deps: Pick<RouteDeps, 'routing' | 'clock'>, asker: Omit<Asker, 'names'>): CallContext {
  const {
    requestId,
    principal,
    signal,
    routing,
    deadlineInMs = null,
    isBackground = false,
    hops = [],
    batched,
  } = asker;
  const deadlineMs = deadlineInMs === null ? null : deps.clock.monotonicMs() + deadlineInMs;
  const context = { requestId, principal, signal, routing, config: deps.routing(), deadlineMs, hops };
  return { ...context, ...(isBackground && { isBackground }), ...(batched && { batched }) };
}

/**
 * Begins the answer to one request: resolves when its first event is there and the status line may be written. Rejects
 * with what the gateway throws, in the names of the dialect.
 */
export async function beginAnswer(
  deps: Pick<RouteDeps, 'gateway' | 'clock' | 'routing'>,
  asker: Asker,
  chat: ChatRequest,
): Promise<Begun> {
  const { requestId, names } = asker;
  const startMs = deps.clock.monotonicMs();
  const fail = (thrown: unknown) => inDialect(toAppError(thrown), names);
  try {
    const begun = await deps.gateway.stream(chat, contextOf(deps, asker));
    return { ...begun, requestId, latencyMs: () => deps.clock.monotonicMs() - startMs, fail };
  } catch (error) {
    throw fail(error);
  }
}
