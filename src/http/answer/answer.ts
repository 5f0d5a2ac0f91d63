import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatRequest } from '../../core/chat.ts';
import { AppError, toAppError } from '../../core/errors.ts';
import { type Answer, foldEvents, type StreamEvent } from '../../core/events.ts';
import type { BegunAnswer } from '../../gateway/gateway.ts';
import { type FieldNames, inDialect } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { ownerPart } from '../plugins/auth.ts';
import { clientGone } from './reply.ts';

/** Answers that have begun, and who gives them. `events[0]` are those of the first request. */
export interface BegunAnswers {
  /** Aborts them all; it does so by itself when the client leaves. */
  gone: AbortController;
  providerId: string;
  model: string;
  events: AsyncIterable<StreamEvent>[];
}

/**
 * Begins the answers to one HTTP request: resolves when the first event of any is there and the status line may be
 * written; where slots are short, the others begin later. The headers tell who answers.
 * Rejects with what the gateway throws, fields named as in the dialect; so do the events.
 */
export async function beginAnswers(
  deps: Pick<RouteDeps, 'gateway'>,
  request: FastifyRequest,
  reply: FastifyReply,
  chats: readonly ChatRequest[],
  names: FieldNames,
): Promise<BegunAnswers> {
  const gone = clientGone(reply);
  const begun = chats.map((chat) =>
    deps.gateway.stream({ ...chat, ...ownerPart(request.owner) }, { signal: gone.signal, requestId: request.id }),
  );
  try {
    const { providerId, model } = await Promise.race(begun);
    reply.header('x-provider-used', providerId).header('x-model-used', model);
    return { gone, providerId, model, events: begun.map((answer) => eventsOf(answer, names)) };
  } catch (error) {
    abortOthers(gone);
    throw inDialect(toAppError(error), names);
  }
}

/** The answers whole, in order. One that fails ends them all. */
export async function foldAnswers({ events, gone }: Pick<BegunAnswers, 'events' | 'gone'>): Promise<Answer[]> {
  try {
    return await Promise.all(events.map(foldEvents));
  } catch (error) {
    abortOthers(gone);
    throw error;
  }
}

/** Ends what still runs of a request that has failed. */
export function abortOthers(gone: AbortController): void {
  gone.abort(new AppError('client_closed_request', 'Another answer to the same request failed.'));
}

async function* eventsOf(begun: Promise<BegunAnswer>, names: FieldNames): AsyncGenerator<StreamEvent> {
  try {
    yield* (await begun).events;
  } catch (error) {
    throw inDialect(toAppError(error), names);
  }
}
