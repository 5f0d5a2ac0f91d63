import type { FastifyReply, FastifyRequest } from 'fastify';

/**
 * A hook that has nothing to wait for. Of an asynchronous one Fastify makes promises, and each request passes a score of hooks. What it
 * throws is the failure of the request; where it has answered, nothing comes after it.
 */
export function atOnce<Request extends FastifyRequest>(act: (request: Request, reply: FastifyReply) => void) {
  return (request: Request, reply: FastifyReply, done: () => void): void => {
    act(request, reply);
    if (!reply.sent) done();
  };
}
