import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toSnakeCase } from '../../../wire/snake-case.ts';
import { clientGone } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { foundList, searchQuery } from './schema.ts';

/** Where left out; each takes a request to the hub. */
const usualLimit = 10;

/** `GET /models/search`: models of the catalogue and of the hub, by words of their names. */
export function addSearchRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.get('/models/search', {
    // The words go to the hub: whoever may pull from it may ask it.
    config: { scope: 'admin' },
    schema: {
      summary: 'Search models that can be pulled',
      description:
        'By words of their names, in the catalogue and at the hub, which is asked. Sizes by quantization, and whether they fit here.',
      tags: [mount.tag],
      querystring: searchQuery,
      response: {
        200: jsonAnswer(foundList, 'The models that were found'),
        ...bodyErrorAnswers(mount.errorSchema),
        502: jsonAnswer(mount.errorSchema, 'The hub cannot be reached, or sent something else'),
      },
    },
    handler: async (request, reply) => {
      const { query, limit = usualLimit } = request.query;
      return toSnakeCase(await deps.store.search(query, limit, clientGone(reply).signal));
    },
  });
}
