import type { FastifyInstance } from 'fastify';
import { atOnce } from './hooks.ts';

/** Sends the request's id back on every answer, errors included; Anthropic's clients know it by the second name. */
export function addRequestId(app: FastifyInstance): void {
  app.addHook(
    'onRequest',
    atOnce((request, reply) => {
      reply.header('x-request-id', request.id).header('request-id', request.id);
    }),
  );
}
