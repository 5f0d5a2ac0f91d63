import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toSnakeCase } from '../../../wire/snake-case.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toNativeAvailable } from './from-core.ts';
import { availableList, suggestedList } from './schema.ts';

/** `GET /catalog`: what can be pulled by name, and what of it suits this machine. */
export function addCatalogRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  // Not under /models: a model may have any name.
  app.get('/catalog', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List models that can be pulled by name',
      description: 'Hand-picked for machines with 4, 8, 16 and 32 GB of memory; the smallest machine comes first.',
      tags: [mount.tag],
      response: { 200: jsonAnswer(availableList, 'The models of the catalogue'), ...errorAnswers(mount.errorSchema) },
    },
    handler: async () => ({ models: (await deps.store.available()).map(toNativeAvailable) }),
  });

  app.get('/catalog/suggestions', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Up to three models of the catalogue that suit this machine',
      description:
        'The largest that is quick here, that can be read along with, and that is bearable, with a guess of its tokens a second. The first request measures the memory for a moment.',
      tags: [mount.tag],
      response: {
        200: jsonAnswer(suggestedList, 'The models, the smallest first'),
        ...errorAnswers(mount.errorSchema),
      },
    },
    handler: async () => toSnakeCase({ models: await deps.store.suggest(await deps.memorySpeed()) }),
  });
}
