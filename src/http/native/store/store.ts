import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { formatBytes } from '../../../core/format-units.ts';
import type { PullWish } from '../../../core/pull.ts';
import { toSnakeCase } from '../../../wire/snake-case.ts';
import { sseFraming } from '../../answer/framing.ts';
import { clientGone, sendStream } from '../../answer/reply.ts';
import { checkModelName, modelNameInPath } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toNativeAvailable, toNativePull, toPullRecords } from './from-core.ts';
import {
  availableList,
  cancelAnswer,
  cancelQuery,
  importAnswer,
  importBody,
  nativePull,
  pullAnswer,
  pullBody,
  pullList,
  pullPath,
  removeAnswer,
} from './schema.ts';

/** Models that come and go: pulls and their progress, imports, removals. */
export function addStoreRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { store } = deps;
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const bodyErrors = {
    ...errors,
    413: jsonAnswer(mount.errorSchema, 'The body is too large'),
    415: jsonAnswer(mount.errorSchema, 'The body is not JSON'),
    422: jsonAnswer(mount.errorSchema, 'The file is no usable model'),
    503: jsonAnswer(mount.errorSchema, 'The server is shutting down'),
  };
  const unknownPull = { 404: jsonAnswer(mount.errorSchema, 'There is no such pull') };

  // Not under /models: a model may have any name.
  app.get('/catalog', {
    schema: {
      summary: 'List models that can be pulled by name',
      description: 'Hand-picked for machines with 4, 8, 16 and 32 GB of memory; the smallest machine comes first.',
      tags,
      response: { 200: jsonAnswer(availableList, 'The models of the catalogue'), ...errors },
    },
    handler: async () => ({ models: (await store.available()).map(toNativeAvailable) }),
  });

  app.post('/models/pull', {
    config: { startsWork: true },
    schema: {
      summary: 'Pull a model from the hub',
      description:
        'Answers when the header of the model has been read and planned and its body begins to arrive. A pull of the same files that is under way is joined.',
      tags,
      body: pullBody,
      response: {
        202: jsonAnswer(pullAnswer, 'The pull runs'),
        ...workErrorAnswers(mount.errorSchema),
        502: jsonAnswer(mount.errorSchema, 'The hub cannot be reached, or sent something else'),
      },
    },
    handler: async (request, reply) => {
      const { name, quantization, revision, force } = request.body;
      const wish: PullWish = {
        name,
        ...(quantization !== undefined && { quantization }),
        ...(revision !== undefined && { revision }),
        ...(force !== undefined && { force }),
      };
      const pull = await store.pull(wish, clientGone(reply).signal);
      reply.code(202);
      return {
        status: 'accepted' as const,
        pull: toNativePull(pull),
        message: `${pull.model} is being pulled: ${formatBytes(pull.totalBytes)}.`,
      };
    },
  });

  app.get('/models/pulls', {
    schema: {
      summary: 'List pulls, those that an earlier run left included',
      tags,
      response: { 200: jsonAnswer(pullList, 'The pulls, newest first'), ...errors },
    },
    handler: async () => ({ pulls: store.pulls().map(toNativePull) }),
  });

  app.get('/models/pull/:id', {
    schema: {
      summary: 'Show a pull',
      tags,
      params: pullPath,
      response: { 200: jsonAnswer(nativePull, 'The pull'), ...unknownPull, ...errors },
    },
    handler: async (request) => toNativePull(store.getPull(request.params.id)),
  });

  app.get('/models/pull/:id/events', {
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow a pull as an event stream',
      description:
        'Records named "progress" for its changes; the last is named "done", "failed", "cancelled" or "resumable".',
      tags,
      params: pullPath,
      response: {
        200: { description: 'The stream', content: { 'text/event-stream': { schema: nativePull } } },
        ...unknownPull,
        ...errors,
      },
    },
    handler: async (request, reply) => {
      const gone = clientGone(reply);
      const changes = store.watchPull(request.params.id, gone.signal);
      const records = toPullRecords(changes, mount);
      return sendStream(reply, records, { framing: sseFraming(), gone, clock: deps.clock, log: deps.log });
    },
  });

  app.delete('/models/pull/:id', {
    schema: {
      summary: 'Cancel a pull',
      description: 'What arrived is kept, and the same pull goes on from there, unless "discard" is true.',
      tags,
      params: pullPath,
      querystring: cancelQuery,
      response: { 200: jsonAnswer(cancelAnswer, 'The pull has ended'), ...unknownPull, ...errors },
    },
    handler: async (request) => {
      const discard = request.query.discard === 'true' || request.query.discard === '1';
      const pull = await store.cancelPull(request.params.id, { discard });
      const kept = discard ? 'its parts are deleted' : `${formatBytes(pull.receivedBytes)} are kept`;
      return {
        status: 'success' as const,
        pull: toNativePull(pull),
        message: `The pull of ${pull.model} has ended; ${kept}.`,
      };
    },
  });

  app.post('/models/import', {
    config: { startsWork: true },
    schema: {
      summary: 'Take a file of this machine into the model folder',
      description: 'By a hard link where that is possible. Of a split model one part is named and all are taken.',
      tags,
      body: importBody,
      response: {
        200: jsonAnswer(importAnswer, 'The model is in the model folder'),
        ...bodyErrors,
        507: jsonAnswer(mount.errorSchema, 'The model folder is full or cannot be written to'),
      },
    },
    handler: async (request) => {
      const stored = await store.importFile(request.body.path, { anyFolder: false });
      return { status: 'success' as const, ...toSnakeCase(stored), message: `Model ${stored.model} is here.` };
    },
  });

  app.delete('/models/:name', {
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
      const freed = removed.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
      return {
        status: 'success' as const,
        removed,
        message: `${removed.map(({ model }) => model).join(', ')}: ${formatBytes(freed)} freed.`,
      };
    },
  });
}
