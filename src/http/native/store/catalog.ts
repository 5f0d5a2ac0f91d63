import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toNativeAvailable } from './from-core.ts';
import { availableList } from './schema.ts';

/** `GET /catalog`: what can be pulled by name. */
export function addCatalogRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  // Not under /models: a model may have any name.
  app.get('/catalog', {
    schema: {
      summary: 'List models that can be pulled by name',
      description: 'Hand-picked for machines with 4, 8, 16 and 32 GB of memory; the smallest machine comes first.',
      tags: [mount.tag],
      response: { 200: jsonAnswer(availableList, 'The models of the catalogue'), ...errorAnswers(mount.errorSchema) },
    },
    handler: async () => ({ models: (await deps.store.available()).map(toNativeAvailable) }),
  });
}
