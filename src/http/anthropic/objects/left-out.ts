import type { FastifyReply } from 'fastify';

/** Names, in the header `x-hearth-left-out`, the volatile lines that are not part of the prompt. */
export function tellLeftOut(reply: FastifyReply, names: readonly string[]): void {
  if (names.length > 0) reply.header('x-hearth-left-out', [...new Set(names)].join(', '));
}
