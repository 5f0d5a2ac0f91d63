import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { clientGone, sendStream, sseFraming } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, eventStream } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { createFeed } from './feed.ts';
import { eventData, eventName } from './schema.ts';

/** `GET /events`: how the server is, as it changes; what the page shows. */
export function addEventRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const feed = createFeed(deps);
  app.addHook('preClose', async () => feed.close());

  app.get('/events', {
    config: { scope: 'admin' },
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow memory, models, requests, costs and providers as an event stream',
      description:
        'The first record is named "snapshot" and has everything; those named "change" have the parts that have changed, at most once a second; the last is named "end". Never prompts or answers.',
      tags: [mount.tag],
      response: {
        200: { description: 'The stream', content: eventStream(eventData, eventName) },
        ...errorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ principal }, reply) => {
      const gone = clientGone(reply);
      const records = feed.watch(principal, gone.signal);
      return sendStream(reply, records, { framing: sseFraming(), gone, clock: deps.clock, log: deps.log });
    },
  });
}
