import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import type { ChatRequest } from '../../../core/chat.ts';
import type { AppError } from '../../../core/errors.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import {
  type Begun,
  namesIgnored,
  ndjsonFraming,
  respond,
  type SseItem,
  sseFraming,
  toCost,
} from '../../answer/answer.ts';
import type { FieldNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, workErrorAnswers } from '../../mount/describe.ts';
import { assertMayLoad } from '../../mount/visible-models.ts';
import { errorBody, ollamaError } from '../objects/errors.ts';
import { assertThinks, ensureContext, loadOrUnload } from '../objects/loading.ts';
import type { OllamaMount } from '../objects/mounts.ts';
import { modelOf, tags } from '../objects/names.ts';
import { namesIgnoredOptions, toCoreOptions } from '../objects/options.ts';
import { beginLine } from '../objects/records.ts';
import { commonNames, toKeepAlive } from '../objects/wishes.ts';
import { type GenerateHead, toGenerateAnswer, toGenerateLines } from './from-core.ts';
import { type GenerateBody, generateBody, generateLine, sharedBody } from './schema.ts';
import { generateToCore, isSeedBody } from './to-core.ts';

const names: FieldNames = {
  ...commonNames,
  'input.messages.*': 'prompt',
  'input.template': 'template',
  'input.*': 'prompt',
};

const seedNames: FieldNames = { ...names, maxTokens: 'max_tokens', 'sampling.temperature': 'temperature' };

/** One prompt has no older turns that could be left out, and nothing of a context is shifted. */
const ignored = ['context', 'truncate', 'shift'];

/** A record of the first specification's stream. */
const seedEvent = z.union([z.looseObject({}), z.literal('[DONE]')]);

/** `POST /generate`, at one of its places the first seed specification's too. */
export function addGenerateRoute(instance: FastifyInstance, deps: RouteDeps, { isShared }: OllamaMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const schema = isShared ? sharedBody : generateBody;
  app.post<{ Body: GenerateBody }>('/generate', {
    config: { scope: 'inference', startsWork: true },
    preHandler: [namesIgnored(ignored), namesIgnoredOptions],
    schema: {
      summary: 'Answer one prompt',
      description: isShared
        ? 'As Ollama and the first seed specification have it: one object, or with "stream": true lines of JSON; events where the client accepts text/event-stream or sends "max_tokens", "temperature" or "metadata".'
        : 'As Ollama has it: lines of JSON, or one object with "stream": false.',
      tags,
      body: schema,
      response: {
        200: {
          description: 'The answer, or its lines',
          content: {
            'application/json': { schema: generateLine },
            'application/x-ndjson': { schema: generateLine },
            ...(isShared && eventStream(seedEvent, z.string().optional())),
          },
        },
        ...workErrorAnswers(ollamaError),
      },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const model = modelOf(body);
      assertMayLoad(deps, request.principal, model);
      const { contextTokens } = toCoreOptions(body.options);
      const chat = generateToCore(body);
      const startMs = deps.clock.monotonicMs();
      const elapsedMs = () => deps.clock.monotonicMs() - startMs;
      if (!body.prompt && !body.images?.length) {
        const wish = { ...toKeepAlive(body), ...(contextTokens !== undefined && { contextTokens }) };
        const done_reason = await loadOrUnload(deps, model, wish);
        return { ...beginLine({ model, now: deps.clock.now }), response: '', done: true, done_reason };
      }
      await assertThinks(deps, model, chat.reasoning);
      await ensureContext(deps, model, contextTokens);
      body.stream ??= !isShared;
      const head: Omit<GenerateHead, 'cost'> = {
        model,
        now: deps.clock.now,
        elapsedMs,
        preparedMs: elapsedMs(),
        requestId: isShared ? request.id : null,
      };
      return isShared && wantsEvents(request)
        ? respond(deps, request, reply, { ...toAsked(chat, body), formOf: (begun) => eventForm(withCost(head, begun)) })
        : respond(deps, request, reply, { ...toAsked(chat, body), formOf: (begun) => lineForm(withCost(head, begun)) });
    },
  });
}

function wantsEvents({ headers, body }: FastifyRequest<{ Body: GenerateBody }>): boolean {
  return (headers.accept ?? '').includes('text/event-stream') || isSeedBody(body);
}

const withCost = (head: Omit<GenerateHead, 'cost'>, { providerId, costNanoUsd }: Begun): GenerateHead => ({
  ...head,
  cost: () => toCost({ provider: providerId, costNanoUsd }),
});

const toAsked = (chat: ChatRequest, body: GenerateBody) => ({
  chats: [chat] as const,
  names: isSeedBody(body) ? seedNames : names,
});

const lineForm = (head: GenerateHead) => ({
  framing: ndjsonFraming,
  toBody: (answer: Answer) => toGenerateAnswer(head, answer),
  toRecords: (events: AsyncIterable<StreamEvent>) => toGenerateLines(head, events),
  toErrorRecord: (error: AppError): object => errorBody(error),
});

const eventForm = (head: GenerateHead) => ({
  framing: sseFraming(),
  toBody: (answer: Answer) => toGenerateAnswer(head, answer),
  toRecords: (events: AsyncIterable<StreamEvent>) => toGenerateEvents(head, events),
  toErrorRecord: (error: AppError): SseItem => ({ data: errorBody(error) }),
});

/** The lines of an answer as records of an event stream, for the first specification. */
export async function* toGenerateEvents(
  head: GenerateHead,
  events: AsyncIterable<StreamEvent>,
): AsyncGenerator<SseItem> {
  for await (const data of toGenerateLines(head, events)) yield { data };
}
