import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { ModelInfo } from '../../../core/model.ts';
import { clientGone } from '../../answer/answer.ts';
import { checkModelName } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { toAnthropicModel, toAnthropicPage } from './anthropic.ts';
import { type ListedModel, modelAnswer, modelListAnswer, modelPath, pageQuery } from './schema.ts';

/**
 * `GET /models` and `GET /models/{model}`. Two dialects have them at the same place: clients that send
 * `anthropic-version` get Anthropic's shapes, all others OpenAI's.
 */
export function addModelRoutes(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();

  app.get('/models', {
    schema: {
      summary: 'List the models that can be used',
      description: "With the header `anthropic-version` in Anthropic's shape and in its pages, else whole in OpenAI's.",
      tags,
      querystring: pageQuery,
      response: { 200: jsonAnswer(modelListAnswer, 'The models'), ...errorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const models = (await deps.gateway.models(clientGone(reply).signal)).map(toListed);
      if (isForAnthropic(request, reply)) return toAnthropicPage(models, request.query);
      return { object: 'list' as const, data: models.map(toOpenAiModel) };
    },
  });

  /** Aliases and names of one quantization are known to the models of this machine only. */
  const byAnyName = async (name: string) => {
    const { name: id, modifiedAt } = await deps.engine.getModel(name);
    return { id, createdAt: modifiedAt };
  };

  app.get('/models/:model', {
    schema: {
      summary: 'Show a model',
      tags,
      params: modelPath,
      response: {
        200: jsonAnswer(modelAnswer, 'The model'),
        404: jsonAnswer(openaiError, 'There is no such model'),
        ...errorAnswers(openaiError),
      },
    },
    handler: async (request, reply) => {
      const name = checkModelName(request.params.model);
      const models = await deps.gateway.models(clientGone(reply).signal);
      const model = toListed(models.find(({ id }) => id === name) ?? (await byAnyName(name)));
      return isForAnthropic(request, reply) ? toAnthropicModel(model) : toOpenAiModel(model);
    },
  });
}

/** Whether the answer is to have Anthropic's shape; caches are told what it depends on. */
function isForAnthropic(request: FastifyRequest, reply: FastifyReply): boolean {
  const others = reply.getHeader('vary');
  reply.header('vary', others === undefined ? 'anthropic-version' : `${others}, anthropic-version`);
  return request.headers['anthropic-version'] !== undefined;
}

/** Both shapes must have a time; the epoch stands for one that nobody knows. */
function toListed({ id, createdAt }: Pick<ModelInfo, 'id' | 'createdAt'>): ListedModel {
  return { id, createdAt: createdAt ?? new Date(0) };
}

function toOpenAiModel({ id, createdAt }: ListedModel) {
  return {
    id,
    object: 'model' as const,
    created: Math.floor(createdAt.getTime() / 1000),
    owned_by: 'hearth' as const,
  };
}
