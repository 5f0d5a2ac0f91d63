import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError } from '../../../core/errors.ts';
import type { ModelInfo } from '../../../core/model.ts';
import { clientGone } from '../../answer/answer.ts';
import { pageQuery, toAnthropicModel, toAnthropicPage } from '../../anthropic/models/models.ts';
import { checkModelName } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { toCodexModels } from './codex.ts';
import { modelAnswer, modelListAnswer, modelPath } from './schema.ts';

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
      const models = await deps.gateway.models(clientGone(reply).signal);
      if (isForAnthropic(request, reply)) return toAnthropicPage(models, request.query);
      return { object: 'list' as const, data: models.map(toOpenAiModel), models: toCodexModels(models) };
    },
  });

  /** Aliases and names of one quantization are known to the models of this machine only. */
  const find = async (name: string, models: readonly ModelInfo[]) => {
    const listed = models.find(({ id }) => id === name);
    if (listed) return listed;
    const { name: own } = await deps.engine.getModel(name);
    const found = models.find(({ id }) => id === own);
    if (found) return found;
    throw new AppError('model_not_found', `The model "${own}" cannot be used.`, { field: 'model' });
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
      const model = await find(name, models);
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

/** The shape must have a time; the epoch stands for one that nobody knows. */
function toOpenAiModel({ id, createdAt }: ModelInfo) {
  return {
    id,
    object: 'model' as const,
    created: Math.floor((createdAt?.getTime() ?? 0) / 1000),
    owned_by: 'hearth' as const,
  };
}
