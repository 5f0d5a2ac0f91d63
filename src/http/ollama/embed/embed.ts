import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { askWhole, namesIgnored } from '../../answer/answer.ts';
import { toInputs } from '../../fields/embedding-input.ts';
import type { FieldNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { assertMayLoad } from '../../mount/visible-models.ts';
import { ollamaError } from '../objects/errors.ts';
import { loadOrUnload } from '../objects/loading.ts';
import { modelOf, tags } from '../objects/names.ts';
import { toKeepAlive } from '../objects/wishes.ts';
import { embedAnswer, embedBody, embeddingsAnswer, embeddingsBody } from './schema.ts';

const names: FieldNames = { inputs: 'input', keepAliveMs: 'keep_alive' };
/** The older endpoint has one text. */
const olderNames: FieldNames = { ...names, 'inputs.*': 'prompt' };

/** Vectors do not depend on how tokens are chosen, nor on the size of a context. */
const ignored = ['options'];

/** `POST /embed`, and `POST /embeddings` as it was before. */
export function addEmbedRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();

  app.post('/embed', {
    config: { scope: 'inference', startsWork: true },
    preHandler: namesIgnored(ignored),
    schema: {
      summary: 'Make embeddings of texts',
      description: 'As Ollama has it; vectors have length 1.',
      tags,
      body: embedBody,
      response: { 200: jsonAnswer(embedAnswer, 'The vectors'), ...workErrorAnswers(ollamaError) },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const model = modelOf(body);
      assertMayLoad(deps, request.principal, model);
      const startMs = deps.clock.monotonicMs();
      const elapsedNs = () => Math.round((deps.clock.monotonicMs() - startMs) * 1e6);
      const input = body.input ?? '';
      if (input.length === 0) {
        await loadOrUnload(deps, model, toKeepAlive(body));
        return { model, embeddings: [], total_duration: elapsedNs(), load_duration: elapsedNs(), prompt_eval_count: 0 };
      }
      const wanted = {
        model,
        inputs: toInputs(input),
        ...(body.dimensions && { dimensions: body.dimensions }),
        ...(body.truncate !== false && { truncate: true }),
        ...toKeepAlive(body),
      };
      const result = await askWhole(deps, request, reply, names, (context) => deps.gateway.embed(wanted, context));
      const load_duration = Math.round((result.queueMs ?? 0) * 1e6);
      return {
        model,
        embeddings: result.vectors,
        total_duration: Math.max(elapsedNs(), load_duration),
        load_duration,
        prompt_eval_count: result.promptTokens,
      };
    },
  });

  app.post('/embeddings', {
    config: { scope: 'inference', startsWork: true },
    preHandler: namesIgnored(ignored),
    schema: {
      summary: 'Make an embedding of one text',
      description: 'As Ollama had it before /api/embed.',
      tags,
      body: embeddingsBody,
      response: { 200: jsonAnswer(embeddingsAnswer, 'The vector'), ...workErrorAnswers(ollamaError) },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const model = modelOf(body);
      assertMayLoad(deps, request.principal, model);
      if (!body.prompt) {
        await loadOrUnload(deps, model, toKeepAlive(body));
        return { embedding: [] };
      }
      const wanted = { model, inputs: [body.prompt], truncate: true, ...toKeepAlive(body) };
      const { vectors } = await askWhole(deps, request, reply, olderNames, (context) =>
        deps.gateway.embed(wanted, context),
      );
      return { embedding: vectors[0] ?? [] };
    },
  });
}
