import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { formatBytes } from '../../../core/format-units.ts';
import { toSnakeCase } from '../../../wire/snake-case.ts';
import { checkModelName, modelNameInPath } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { importAnswer, importBody, removeAnswer } from './schema.ts';

/** Files of models: to take one in, to delete those of a model. */
export function addModelFileRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { store } = deps;
  const tags = [mount.tag];
  const errors = bodyErrorAnswers(mount.errorSchema);

  app.post('/models/import', {
    config: { scope: 'admin', startsWork: true },
    schema: {
      summary: 'Take a file of this machine into the model folder',
      description: 'By a hard link where that is possible. Of a split model one part is named and all are taken.',
      tags,
      body: importBody,
      response: {
        200: jsonAnswer(importAnswer, 'The model is in the model folder'),
        ...errors,
        422: jsonAnswer(mount.errorSchema, 'The file is no usable model'),
        503: jsonAnswer(mount.errorSchema, 'The server is shutting down'),
        507: jsonAnswer(mount.errorSchema, 'The model folder is full or cannot be written to'),
      },
    },
    handler: async (request) => {
      const stored = await store.importFile(request.body.path, { anyFolder: false });
      return { status: 'success' as const, ...toSnakeCase(stored), message: `Model ${stored.model} is here.` };
    },
  });

  app.delete('/models/:name', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Unload a model and delete its files',
      description: 'All its variants, or the one that "name:quantization" chooses. Running requests end first.',
      tags,
      params: z.object({ name: modelNameInPath }),
      response: {
        200: jsonAnswer(removeAnswer, 'The files are gone'),
        404: jsonAnswer(mount.errorSchema, 'There is no such model'),
        ...errors,
        507: jsonAnswer(mount.errorSchema, 'The model folder cannot be written to'),
      },
    },
    handler: async (request) => {
      const removed = (await store.remove(checkModelName(request.params.name))).map((stored) => toSnakeCase(stored));
      const freed = removed.reduce((sum, { freed_bytes }) => sum + freed_bytes, 0);
      return {
        status: 'success' as const,
        removed,
        message: `${removed.map(({ model }) => model).join(', ')}: ${formatBytes(freed)} freed.`,
      };
    },
  });
}
