import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { formatBytes } from '../../../core/format-units.ts';
import type { PullWish } from '../../../core/pull.ts';
import { clientGone } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toNativePull } from './from-core.ts';
import { cancelAnswer, cancelQuery, nativePull, pullAnswer, pullBody, pullList, pullPath } from './schema.ts';

/** Pulls: to begin one, to list them, to look at one and to cancel it. */
export function addPullRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { store } = deps;
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const unknownPull = { 404: jsonAnswer(mount.errorSchema, 'There is no such pull') };

  app.post('/models/pull', {
    config: { scope: 'admin', startsWork: true },
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
    config: { scope: 'inference' },
    schema: {
      summary: 'List pulls, those that an earlier run left included',
      tags,
      response: { 200: jsonAnswer(pullList, 'The pulls, newest first'), ...errors },
    },
    handler: async () => ({ pulls: store.pulls().map(toNativePull) }),
  });

  app.get('/models/pull/:id', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show a pull',
      tags,
      params: pullPath,
      response: { 200: jsonAnswer(nativePull, 'The pull'), ...unknownPull, ...errors },
    },
    handler: async (request) => toNativePull(store.getPull(request.params.id)),
  });

  app.delete('/models/pull/:id', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Cancel a pull',
      description: 'What arrived is kept, and the same pull goes on from there, unless "discard" is true.',
      tags,
      params: pullPath,
      querystring: cancelQuery,
      response: {
        200: jsonAnswer(cancelAnswer, 'The pull has ended'),
        ...unknownPull,
        ...bodyErrorAnswers(mount.errorSchema),
      },
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
}
