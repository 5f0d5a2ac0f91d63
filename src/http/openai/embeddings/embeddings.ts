import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { type EmbeddingRequest, type EmbeddingResult, packVector } from '../../../core/embedding.ts';
import { askWhole, namesIgnored } from '../../answer/answer.ts';
import { toInputs } from '../../fields/embedding-input.ts';
import { embeddingNames } from '../../fields/field-names.ts';
import { parseKeepAlive } from '../../fields/keep-alive.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { type EmbeddingBody, embeddingAnswer, embeddingBody, ignoredEmbeddingFields } from './schema.ts';

export { embeddingBody } from './schema.ts';

/** `POST /embeddings` of the OpenAI dialect. */
export function addEmbeddingRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/embeddings', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Make embeddings of texts',
      description: 'As OpenAI has it. The model must be an embedding model; vectors have length 1.',
      tags,
      body: embeddingBody,
      response: { 200: jsonAnswer(embeddingAnswer, 'The vectors'), ...workErrorAnswers(openaiError) },
    },
    preHandler: namesIgnored(ignoredEmbeddingFields),
    handler: async (request, reply) => {
      const wanted = embeddingToCore(request.body);
      const result = await askWhole(deps, request, reply, embeddingNames, (context) =>
        deps.gateway.embed(wanted, context),
      );
      return toAnswer(result, request.body.encoding_format === 'base64');
    },
  });
}

/** The body of `/v1/embeddings` in the words of the core. Throws `invalid_request` that names what is at fault. */
export function embeddingToCore(body: EmbeddingBody): EmbeddingRequest {
  const keepAlive = body.keep_alive ?? null;
  const dimensions = body.dimensions ?? null;
  return {
    model: body.model ?? 'default',
    inputs: toInputs(body.input),
    ...(dimensions !== null && { dimensions }),
    ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
  };
}

function toAnswer({ model, vectors, promptTokens }: EmbeddingResult, isPacked: boolean) {
  return {
    object: 'list' as const,
    data: vectors.map((vector, index) => ({
      object: 'embedding' as const,
      index,
      embedding: isPacked ? packVector(vector) : vector,
    })),
    model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  };
}
