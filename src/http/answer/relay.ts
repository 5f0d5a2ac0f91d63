import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatRequest, OriginalRequest } from '../../core/chat.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { flowOf } from '../../core/flow.ts';
import type { RelayedAnswer } from '../../gateway/gateway.ts';
import type { Logger } from '../../observe/logger.ts';
import { mayBeModel } from '../fields/model-name.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { atOnce } from '../plugins/hooks.ts';
import type { AnswerForm, Asked } from './asked.ts';
import type { Begun } from './begin.ts';
import { sendStream } from './reply.ts';

/**
 * A `preHandler` hook for routes whose requests may pass as they came. Their schema describes what this machine reads; a
 * provider of the dialect may know more, so its complaint counts only where nobody else is asked. With it go
 * `attachValidation` and `config.relays` of the route.
 */
export function relaysOriginals(deps: Pick<RouteDeps, 'gateway' | 'routing'>) {
  return atOnce((request: FastifyRequest): void => {
    request.mayRelay = mayRelay(deps, request);
    if (request.mayRelay) return;
    // Nobody takes it, so its bytes need not stay for as long as the answer takes.
    delete request.original;
    if (request.validationError) throw request.validationError;
  });
}

function mayRelay(deps: Pick<RouteDeps, 'gateway' | 'routing'>, request: FastifyRequest): boolean {
  const { original, principal, wish } = request;
  if (original === undefined || !mayBeModel(original.body.model)) return false;
  const whereto = { routing: wish.routing, config: deps.routing(), principal };
  return deps.gateway.mayRelay(original, modelOf(original), whereto);
}

/**
 * The request that `toChat` makes of a body, with the body beside it where it may pass as it came. What `toChat` cannot read
 * passes all the same, and is answered by nobody who does not take it as it is.
 */
export function withOriginal(request: FastifyRequest, toChat: () => ChatRequest): ChatRequest {
  const { original } = request;
  if (original === undefined || !request.mayRelay) return toChat();
  const chat = request.validationError ? null : readable(toChat);
  return chat === null ? onlyRelayed(original) : { ...chat, original };
}

function readable(toChat: () => ChatRequest): ChatRequest | null {
  try {
    return toChat();
  } catch (error) {
    if (error instanceof AppError && error.status < 500) return null;
    throw error;
  }
}

/**
 * Asks for an answer to a body that only a provider of its dialect can read; the form words its failures. `keptBy`: the one
 * that keeps what it goes on from.
 */
export function askedAsItCame<Item>(
  request: FastifyRequest,
  form: Pick<AnswerForm<never, Item>, 'framing' | 'toErrorRecord'>,
  keptBy?: string,
): Asked<never, Item> {
  const unreadable = (): never => {
    throw new Error('a request that can only pass as it came was answered otherwise');
  };
  return {
    chats: [{ ...onlyRelayed(request.original!), ...(keptBy !== undefined && { keptBy }) }],
    names: {},
    formOf: () => ({ ...form, toBody: unreadable, toRecords: unreadable }),
  };
}

/** A request of which only its original says what is asked. */
function onlyRelayed(original: OriginalRequest): ChatRequest {
  // Whatever the dialect calls it: for what may be reserved at most.
  const { max_completion_tokens, max_output_tokens, max_tokens, n: choices } = original.body;
  const maxTokens = max_completion_tokens ?? max_output_tokens ?? max_tokens;
  return {
    model: modelOf(original),
    input: { type: 'chat', messages: [], tools: [], toolChoice: { type: 'auto' } },
    sampling: {},
    stop: [],
    ...(typeof maxTokens === 'number' && maxTokens >= 0 && { maxTokens }),
    ...(typeof choices === 'number' && choices > 1 && { choices }),
    original,
    onlyRelayed: true,
  };
}

function modelOf({ body }: OriginalRequest): string {
  return typeof body.model === 'string' && body.model !== '' ? body.model : 'default';
}

/** Sends a relayed answer that came whole, once all of it is there. Rejects as it does. `ended`: is called before it is sent. */
export async function sendRelayedWhole(reply: FastifyReply, begun: Begun, ended: () => void): Promise<FastifyReply> {
  return sendWhole(reply, begun.relay!, ended).catch((error: unknown) => {
    throw begun.fail(error);
  });
}

/** The same of any answer that passes. */
export async function sendWhole(
  reply: FastifyReply,
  { status, headers, bytes }: RelayedAnswer,
  ended: () => void = () => {},
): Promise<FastifyReply> {
  const pieces: Uint8Array[] = [];
  await flowOf(bytes).each((piece) => void pieces.push(piece));
  ended();
  return reply.code(status).headers(headers).send(Buffer.concat(pieces));
}

/** Sends a relayed stream as it comes. `lastOf`: the last record of one that fails, as it goes out, behind what was `sent` last. */
export function sendRelayed(
  reply: FastifyReply,
  relay: RelayedAnswer,
  options: {
    ping: string | null;
    lastOf: (thrown: unknown, sent: string | Uint8Array) => string | Uint8Array;
    gone: AbortController;
    clock: Clock;
    log: Logger;
  },
): FastifyReply {
  const { ping, lastOf, ...rest } = options;
  let sent: string | Uint8Array = '';
  const { 'content-type': contentType = 'text/event-stream', ...headers } = relay.headers;
  reply.headers(headers);
  return sendStream<string | Uint8Array>(reply, relay.bytes, {
    ...rest,
    framing: {
      contentType,
      frame(piece) {
        sent = piece;
        return piece;
      },
      ping,
    },
    onFailure: (thrown) => [lastOf(thrown, sent)],
  });
}
