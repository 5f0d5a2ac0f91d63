import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toAppError } from '../../core/errors.ts';
import type { LocalModel } from '../../engine/engine.ts';
import { abortOthers, type BegunAnswers, beginAnswers, foldAnswers } from '../answer/begin.ts';
import { sendSse } from '../answer/reply.ts';
import { chatNames, completionNames } from '../fields/field-names.ts';
import { checkModelName } from '../fields/model-name.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { errorAnswers, jsonAnswer, workErrorAnswers } from '../mount/describe.ts';
import { createErrorHandler, logError } from '../mount/error-handler.ts';
import { addRerankRoute } from '../rerank/routes.ts';
import { toChatCompletion, toChatRecords } from './chat/from-core.ts';
import { type ChatBody, type CompletionBody, chatBody, completionBody, modelPath } from './chat/schema.ts';
import { chatToCore, completionToCore, toChoices } from './chat/to-core.ts';
import { toCompletion, toCompletionRecords } from './completions/from-core.ts';
import { addEmbeddingRoute } from './embeddings/embeddings.ts';
import {
  chatAnswer,
  chatChunk,
  completionAnswer,
  openaiError,
  openaiModel,
  openaiModelList,
} from './objects/answer-schema.ts';
import { errorBody } from './objects/errors.ts';
import type { AnswerHead, StreamOptions } from './objects/records.ts';

const tag = 'OpenAI';
const tags = [tag];

/** The OpenAI dialect; mount it under `/v1`. */
export function openaiRoutes(deps: RouteDeps) {
  return async (instance: FastifyInstance): Promise<void> => {
    const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
    app.setErrorHandler(createErrorHandler(errorBody, deps));

    const headOf = (prefix: string, answer: BegunAnswers): AnswerHead => ({
      id: `${prefix}-${randomBytes(12).toString('hex')}`,
      created: Math.floor(deps.clock.now().getTime() / 1000),
      model: answer.model,
    });
    const optionsOf = (
      request: { id: string; body: ChatBody | CompletionBody },
      { gone }: BegunAnswers,
    ): StreamOptions => ({
      includeUsage: request.body.stream_options?.include_usage ?? false,
      onFailure: (error) => {
        abortOthers(gone);
        logError(deps.log, toAppError(error), request.id);
      },
    });

    app.post('/chat/completions', {
      config: { startsWork: true },
      schema: {
        summary: 'Answer a conversation',
        description:
          'As OpenAI has it. With "stream": true the answer is an event stream of chunks that ends with [DONE].',
        tags,
        body: chatBody,
        response: {
          200: {
            description: 'The answer, or its chunks',
            content: { 'application/json': { schema: chatAnswer }, 'text/event-stream': { schema: chatChunk } },
          },
          ...workErrorAnswers(openaiError),
        },
      },
      handler: async (request, reply) => {
        const chats = toChoices(chatToCore(request.body), request.body.n);
        const begun = await beginAnswers(deps, request, reply, chats, chatNames);
        const head = headOf('chatcmpl', begun);
        if (!request.body.stream) {
          return toChatCompletion(head, await foldAnswers(begun), request.body.logprobs ?? false);
        }
        const records = toChatRecords(head, begun.events, optionsOf(request, begun));
        return sendSse(reply, records, { gone: begun.gone, ...deps });
      },
    });

    app.post('/completions', {
      config: { startsWork: true },
      schema: {
        summary: 'Continue text',
        description: 'Continues the prompt as it stands, without the chat template of the model.',
        tags,
        body: completionBody,
        response: {
          200: {
            description: 'The continuation, or its chunks',
            content: {
              'application/json': { schema: completionAnswer },
              'text/event-stream': { schema: completionAnswer },
            },
          },
          ...workErrorAnswers(openaiError),
        },
      },
      handler: async (request, reply) => {
        const chats = toChoices(completionToCore(request.body), request.body.n);
        const begun = await beginAnswers(deps, request, reply, chats, completionNames);
        const head = headOf('cmpl', begun);
        if (!request.body.stream) {
          return toCompletion(head, await foldAnswers(begun), (request.body.logprobs ?? null) !== null);
        }
        const records = toCompletionRecords(head, begun.events, optionsOf(request, begun));
        return sendSse(reply, records, { gone: begun.gone, ...deps });
      },
    });

    addEmbeddingRoute(app, deps, tags);
    addRerankRoute(app, deps, { tag, errorSchema: openaiError });

    app.get('/models', {
      schema: {
        summary: 'List the models that can be used',
        tags,
        response: { 200: jsonAnswer(openaiModelList, 'The models'), ...errorAnswers(openaiError) },
      },
      handler: async () => {
        const models = await deps.engine.listModels();
        return {
          object: 'list' as const,
          data: models.filter((model) => model.state !== 'invalid').map(toOpenAiModel),
        };
      },
    });

    app.get('/models/:model', {
      schema: {
        summary: 'Show a model',
        tags,
        params: modelPath,
        response: {
          200: jsonAnswer(openaiModel, 'The model'),
          404: jsonAnswer(openaiError, 'There is no such model'),
          ...errorAnswers(openaiError),
        },
      },
      handler: async (request) => toOpenAiModel(await deps.engine.getModel(checkModelName(request.params.model))),
    });
  };
}

function toOpenAiModel(model: LocalModel) {
  return {
    id: model.name,
    object: 'model' as const,
    created: Math.floor(model.modifiedAt.getTime() / 1000),
    owned_by: 'hearth' as const,
  };
}
