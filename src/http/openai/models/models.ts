import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { localProviderId } from '../../../core/call.ts';
import { AppError } from '../../../core/errors.ts';
import type { ModelInfo } from '../../../core/model.ts';
import { clientGone } from '../../answer/answer.ts';
import { pageQuery, toAnthropicModel, toAnthropicPage } from '../../anthropic/models/models.ts';
import { checkModelName } from '../../fields/model-name.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import { visibleLocal, visibleModels } from '../../mount/visible-models.ts';
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
    config: { scope: 'inference' },
    schema: {
      summary: 'List the models that can be used',
      description: "With the header `anthropic-version` in Anthropic's shape and in its pages, else whole in OpenAI's.",
      tags,
      querystring: pageQuery,
      response: { 200: jsonAnswer(modelListAnswer, 'The models'), ...errorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const models = await visibleModels(deps, request, clientGone(reply).signal);
      if (isForAnthropic(request, reply)) return toAnthropicPage(models, request.query);
      return { object: 'list' as const, data: models.map(toOpenAiModel), models: toCodexModels(models) };
    },
  });

  app.get('/models/:model', {
    config: { scope: 'inference' },
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
      const model = await findModel(deps, request, name, clientGone(reply).signal);
      return isForAnthropic(request, reply) ? toAnthropicModel(model) : toOpenAiModel(model);
    },
  });
}

/**
 * A model that may be asked for with a key, by its name, one of its aliases, or a name of one quantization, which this machine
 * alone knows. Throws `model_not_found`.
 */
export async function findModel(
  deps: Pick<RouteDeps, 'gateway' | 'routing' | 'engine'>,
  asker: Pick<FastifyRequest, 'principal' | 'wish'>,
  name: string,
  signal: AbortSignal,
): Promise<ModelInfo> {
  const models = await visibleModels(deps, asker, signal);
  const listed = models.find(({ id }) => id === name) ?? models.find((model) => isElsewhere(model, name));
  if (listed) return listed;
  const { name: own } = await visibleLocal(deps, asker.principal, name);
  const found = models.find(({ id }) => id === own);
  if (found) return found;
  throw new AppError('model_not_found', `The model "${own}" cannot be used.`, { field: 'model' });
}

/** Whether this is another provider's model, by one of its other names, or by its name behind that of its provider. */
function isElsewhere({ id, aliases, provider }: ModelInfo, name: string): boolean {
  return provider !== localProviderId && (aliases.includes(name) || name === `${provider}/${id}`);
}

/** Whether the answer is to have Anthropic's shape; caches are told what it depends on. */
function isForAnthropic(request: FastifyRequest, reply: FastifyReply): boolean {
  const others = reply.getHeader('vary');
  reply.header('vary', others === undefined ? 'anthropic-version' : `${others}, anthropic-version`);
  return request.headers['anthropic-version'] !== undefined;
}

/** What comes of an operation, in the words by which clients look for models that can do it. */
const modalities = { generate: 'text', decide: 'decisions', embed: 'embeddings', rank: 'rerank' } as const;

/** The shape must have a time; the epoch stands for one that nobody knows. */
function toOpenAiModel({ id, createdAt, provider, capabilities }: ModelInfo) {
  return {
    id,
    object: 'model' as const,
    created: Math.floor((createdAt?.getTime() ?? 0) / 1000),
    owned_by: provider === localProviderId ? 'hearth' : provider,
    output_modalities: capabilities.operations.map((operation) => modalities[operation]),
  };
}
