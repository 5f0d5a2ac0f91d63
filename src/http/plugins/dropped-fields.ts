import type { FastifyInstance } from 'fastify';
import { addIgnored } from '../answer/answer.ts';
import { droppedIn } from '../fields/dropped.ts';
import { atOnce } from './hooks.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it came, until it is compared with what its schema kept; null: there is none. */
    sentBody: object | null;
  }
}

/**
 * Names, in `x-hearth-ignored`, whatever of a body its schema does not know and so drops, wherever in the body it stands:
 * nothing that a client sends is ignored without a word. Bodies whose schemas are strict are refused before.
 */
export function addDroppedFields(app: FastifyInstance): void {
  app.decorateRequest('sentBody', null);
  app.addHook(
    'preValidation',
    atOnce((request) => {
      if (typeof request.body === 'object' && request.body !== null) request.sentBody = request.body;
    }),
  );
  app.addHook(
    'preHandler',
    atOnce((request, reply) => {
      const { sentBody } = request;
      if (sentBody === null) return;
      addIgnored(reply, droppedIn(sentBody, request.body));
      // It may be large, and nobody needs it while the answer is made.
      request.sentBody = null;
    }),
  );
}
