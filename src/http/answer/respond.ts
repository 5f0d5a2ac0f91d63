import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CallContext } from '../../core/provider.ts';
import { clientGone } from './reply.ts';

/**
 * Asks for an answer that comes whole, until the client leaves; the headers tell who answers. Rejects with what `ask`
 * throws.
 */
export async function askWhole<Result extends { providerId: string; model: string }>(
  request: FastifyRequest,
  reply: FastifyReply,
  ask: (context: CallContext) => Promise<Result>,
): Promise<Result> {
  const { signal } = clientGone(reply);
  const result = await ask({ signal, requestId: request.id });
  reply.header('x-provider-used', result.providerId).header('x-model-used', result.model);
  return result;
}
