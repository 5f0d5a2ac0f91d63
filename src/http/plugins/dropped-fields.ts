import type { FastifyInstance } from 'fastify';
import { addIgnored } from '../answer/answer.ts';
import { droppedIn } from '../fields/dropped.ts';
import { atOnce } from './hooks.ts';

/**
 * Names, in `x-hearth-ignored`, whatever of a body its schema does not know and so drops, wherever in the body it stands:
 * nothing that a client sends is ignored without a word. Bodies whose schemas are strict are refused before.
 */
export function addDroppedFields(app: FastifyInstance): void {
  const sentBodies = new WeakMap<object, unknown>();
  app.addHook(
    'preValidation',
    atOnce((request) => {
      if (typeof request.body === 'object' && request.body !== null) sentBodies.set(request, request.body);
    }),
  );
  app.addHook(
    'preHandler',
    atOnce((request, reply) => {
      const sent = sentBodies.get(request);
      if (sent !== undefined) addIgnored(reply, droppedIn(sent, request.body));
    }),
  );
}
