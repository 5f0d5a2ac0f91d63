import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { z } from 'zod';
import type { AppError } from '../../core/errors.ts';
import type { Answer, StreamEvent } from '../../core/events.ts';
import {
  type Begun,
  namesIgnored,
  respond,
  respondStream,
  type SseItem,
  sseFraming,
  toCost,
} from '../answer/answer.ts';
import { countTokens, ignoredFields, toAsked } from '../anthropic/anthropic.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { eventStream, jsonAnswer, workErrorAnswers } from '../mount/describe.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import { addBatchRoutes } from './batches.ts';
import { envelopeOf } from './envelope-of.ts';
import { envelopeError, envelopeErrorBody, envelopeErrorOf } from './errors.ts';
import {
  countTokensAnswer,
  countTokensBody,
  createAnswer,
  createBody,
  streamRecord,
  toMessagesBody,
  toToolChoice,
} from './schema.ts';

export { envelopeErrorBody } from './errors.ts';

const tag = 'Messages in an envelope';
const framing = sseFraming({ data: { type: 'ping' } });

/** Anthropic's messages and batches in the envelope of the fourth seed specification; mount it under `/api/v1`. */
export function envelopeRoutes(deps: RouteDeps) {
  return async (instance: FastifyInstance): Promise<void> => {
    const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
    app.setErrorHandler(createErrorHandler(envelopeErrorBody, deps));
    const tags = [tag];
    const errors = workErrorAnswers(envelopeError);
    const preHandler = namesIgnored(ignoredFields);
    const stream = eventStream(streamRecord);

    app.post('/messages/create', {
      config: { scope: 'inference', startsWork: true },
      preHandler,
      schema: {
        summary: 'Answer a conversation, in an envelope',
        description: 'The body and the data are those of /v1/messages. With "stream": true as /messages/stream.',
        tags,
        body: createBody,
        response: {
          200: {
            description: 'The answer, or its stream',
            content: { 'application/json': { schema: createAnswer }, ...stream },
          },
          ...errors,
        },
      },
      handler: async (request, reply) => respond(deps, request, reply, inEnvelope(request, reply, deps)),
    });

    app.post('/messages/stream', {
      config: { scope: 'inference', startsWork: true },
      preHandler,
      schema: {
        summary: 'Answer a conversation as an event stream',
        description:
          'The events of /v1/messages, each told by the "type" of its data alone, and each text also as {"type":"text"}.',
        tags,
        body: createBody,
        response: { 200: { description: 'The stream', content: stream }, ...errors },
      },
      handler: async (request, reply) => respondStream(deps, request, reply, inEnvelope(request, reply, deps)),
    });

    app.post('/messages/count-tokens', {
      config: { scope: 'inference', startsWork: true },
      schema: {
        summary: 'Count the tokens of a conversation, in an envelope',
        tags,
        body: countTokensBody,
        response: { 200: jsonAnswer(countTokensAnswer, 'The tokens'), ...errors },
      },
      handler: async (request, reply) => {
        const startMs = deps.clock.monotonicMs();
        const { tool_choice: choice, ...rest } = request.body;
        const data = await countTokens({ ...rest, ...toToolChoice(choice) }, request, reply, deps);
        return envelopeOf(data, request.id, deps.clock.monotonicMs() - startMs);
      },
    });

    addBatchRoutes(instance, deps);
  };
}

/** A message as `/v1/messages` would answer it, worded for this mount. */
function inEnvelope(
  request: FastifyRequest & { body: z.infer<typeof createBody> },
  reply: FastifyReply,
  deps: RouteDeps,
) {
  const { early, formOf, ...asked } = toAsked(toMessagesBody(request.body), request, reply, deps);
  const inForm = (form: ReturnType<typeof formOf>, latencyMs: () => number, cost?: () => number | null) => ({
    framing,
    toBody: (answer: Answer) => envelopeOf(form.toBody(answer), request.id, latencyMs(), cost?.()),
    toRecords: (events: AsyncIterable<StreamEvent>) => toEnvelopeRecords(form.toRecords(events), cost),
    toErrorRecord: (error: AppError): SseItem => ({ data: { type: 'error', ...envelopeErrorOf(error, request.id) } }),
  });
  const startMs = deps.clock.monotonicMs();
  return {
    ...asked,
    formOf: (begun: Begun) =>
      inForm(formOf(), begun.latencyMs, () => toCost({ provider: begun.providerId, costNanoUsd: begun.costNanoUsd })),
    early: {
      afterMs: early.afterMs,
      records: () => early.records().map(withoutName),
      form: inForm(early.form, () => deps.clock.monotonicMs() - startMs),
    },
  };
}

/** `EventSource.onmessage`, which the specification reads by, is told of records without an event name only. */
function withoutName({ data }: SseItem): SseItem {
  return { data };
}

/**
 * Each text comes a second time in the form that the sample of the specification reads, and the last record says what the answer
 * has cost. `cost`: in USD, once it has ended.
 */
export async function* toEnvelopeRecords(
  items: AsyncIterable<SseItem>,
  cost?: () => number | null,
): AsyncGenerator<SseItem> {
  for await (const item of items) {
    yield cost && isLast(item.data) ? { data: { ...item.data, cost: cost() } } : withoutName(item);
    const text = textIn(item.data);
    if (text !== null) yield { data: { type: 'text', text } };
  }
}

function isLast(data: string | object): data is object {
  return typeof data === 'object' && 'type' in data && data.type === 'message_stop';
}

function textIn(data: string | object): string | null {
  if (typeof data !== 'object' || !('delta' in data)) return null;
  const { delta } = data;
  const isText = typeof delta === 'object' && delta !== null && 'text' in delta && typeof delta.text === 'string';
  return isText ? String(delta.text) : null;
}
