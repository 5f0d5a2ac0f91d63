import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { z } from 'zod';
import { askWhole } from '../answer/answer.ts';
import { sharedNames } from '../fields/field-names.ts';
import { parseKeepAlive } from '../fields/keep-alive.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../mount/describe.ts';
import { rerankAnswer, rerankBody, toDocuments } from './schema.ts';

/**
 * `POST /rerank` in the shape of Jina and Cohere, which clients look for under `/v1` and at the root. Errors have the
 * shape of the mount, as everywhere.
 */
export function addRerankRoute(
  instance: FastifyInstance,
  deps: RouteDeps,
  mount: { tag: string; errorSchema: z.ZodType },
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/rerank', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Sort documents by how well they answer a query',
      description: 'As Jina and Cohere have it. The model must be a reranking model; scores are 0 to 1.',
      tags: [mount.tag],
      body: rerankBody,
      response: {
        200: jsonAnswer(rerankAnswer, 'The documents, best first'),
        ...workErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const documents = toDocuments(body.documents);
      const keepAlive = body.keep_alive ?? null;
      const wanted = {
        model: body.model ?? 'default',
        query: body.query,
        documents,
        ...(keepAlive !== null && { keepAliveMs: parseKeepAlive(keepAlive) }),
      };
      const { model, scores, promptTokens } = await askWhole(deps, request, reply, sharedNames, (context) =>
        deps.gateway.rank(wanted, context),
      );
      return {
        id: `rerank-${randomBytes(12).toString('hex')}`,
        model,
        results: bestFirst(scores, body.top_n ?? scores.length).map(({ index, score }) => ({
          index,
          relevance_score: score,
          ...(body.return_documents && { document: { text: documents[index]! } }),
        })),
        usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
      };
    },
  });
}

/** The `most` highest scores with their places; equal ones keep their order. */
function bestFirst(scores: readonly number[], most: number): { index: number; score: number }[] {
  return scores
    .map((score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, most);
}
