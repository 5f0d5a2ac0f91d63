import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ChatRequest } from '../core/chat.ts';
import type { BegunAnswer } from '../gateway/gateway.ts';
import type { RouteDeps } from './deps.ts';
import { clientGone } from './reply.ts';

/**
 * Begins an answer over HTTP: resolves when its first event is there and the status line may be written. `gone` aborts
 * it when the client leaves; the headers tell who answers. Rejects with what the gateway throws.
 */
export async function beginAnswer(
  deps: Pick<RouteDeps, 'gateway'>,
  request: FastifyRequest,
  reply: FastifyReply,
  chat: ChatRequest,
): Promise<{ gone: AbortController; answer: BegunAnswer }> {
  const gone = clientGone(reply);
  const answer = await deps.gateway.stream(chat, { signal: gone.signal, requestId: request.id });
  reply.header('x-provider-used', answer.providerId).header('x-model-used', answer.model);
  return { gone, answer };
}
