import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { askWhole } from '../../answer/answer.ts';
import { toInputs } from '../../fields/embedding-input.ts';
import { embeddingNames } from '../../fields/field-names.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import { modelOf } from '../../fields/model-header.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { embeddingAnswer, embeddingBody } from './schema.ts';

/** `POST /embeddings`, as the second seed specification has it. */
export function addEmbeddingRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/embeddings', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Make embeddings of texts',
      description: 'Without a model name the default model is taken, or the first that makes embeddings.',
      tags: [mount.tag],
      body: embeddingBody,
      response: { 200: jsonAnswer(embeddingAnswer, 'The vectors'), ...workErrorAnswers(mount.errorSchema) },
    },
    handler: async (request, reply) => {
      const { input, keep_alive: keepAlive } = request.body;
      const wanted = {
        model: modelOf(request.body, request.headers),
        inputs: toInputs(input),
        ...(keepAlive !== undefined && { keepAliveMs: parseKeepAlive(keepAlive) }),
      };
      const result = await askWhole(deps, request, reply, embeddingNames, (context) =>
        deps.gateway.embed(wanted, context),
      );
      return {
        embeddings: result.vectors.map((embedding, index) => ({ index, embedding, dimensions: embedding.length })),
        usage: { prompt_tokens: result.promptTokens, total_tokens: result.promptTokens },
        provider: result.providerId,
        model: result.model,
      };
    },
  });
}
