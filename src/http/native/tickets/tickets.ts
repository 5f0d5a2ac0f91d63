import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { ticketMs } from '../../../auth/tickets.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const ticketBody = z.strictObject({}).meta({ id: 'TicketRequest' });

const ticketAnswer = z
  .object({
    ticket: z.string(),
    expires_in: z.int().meta({ description: 'Seconds' }),
    expires_at: z.string().meta({ description: 'ISO 8601, UTC' }),
  })
  .meta({ id: 'Ticket' });

/** `POST /tickets`: what a page puts into an address where it cannot send its key. */
export function addTicketRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/tickets', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'Get a ticket for a WebSocket or an event stream',
      description:
        'Asked for with the key, and good once, for a minute: as `?ticket=` of `/ws/generate`, `/ws/providers`, `/ws/pull/{id}` and `/models/pull/{id}/events`, for pages that cannot send a header there.',
      tags: [mount.tag],
      body: ticketBody.optional(),
      response: {
        200: jsonAnswer(ticketAnswer, 'The ticket'),
        429: jsonAnswer(mount.errorSchema, 'Too many tickets are unused'),
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ principal }, reply) => {
      const { ticket, expiresAt } = await deps.tickets.issue(principal);
      reply.header('cache-control', 'no-store');
      return { ticket, expires_in: ticketMs / 1_000, expires_at: expiresAt.toISOString() };
    },
  });
}
