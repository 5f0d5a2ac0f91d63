import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import { clientGone, type SseItem, sendStream, tellCostText } from '../../answer/answer.ts';
import { errorAnswers, eventStream, jsonAnswer } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import {
  deletedAnswer,
  itemList,
  type ResponseAnswer,
  responseAnswer,
  responseEvent,
  responseEventName,
} from './answer-schema.ts';
import { type ResponseDeps, responseFraming, sendFollowed, toSseItem } from './create.ts';
import { hasEnded, type ResponseEvent } from './from-core.ts';
import type { Item } from './item.ts';
import { askKeeper } from './relay.ts';
import { replayOf } from './replay.ts';

const path = z.object({ response: z.string().meta({ description: 'Id of the response.' }) });
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

/** The SDK writes lists as `include[]=…`, which nothing here depends on: what is stored is told whole. */
const retrieveQuery = z.object({
  stream: flag.optional().meta({ description: 'true: its events, from the first or from starting_after on.' }),
  starting_after: z
    .string()
    .regex(/^\d{1,9}$/, { error: 'must be a whole number' })
    .transform(Number)
    .optional()
    .meta({ description: 'With stream: the last sequence_number that the client has seen.' }),
});

const itemsQuery = z.object({
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, { error: 'must be a whole number from 1 to 100' })
    .transform(Number)
    .optional(),
  order: z.enum(['asc', 'desc']).optional().meta({ description: 'desc, the newest first, is the default.' }),
  after: z.string().optional().meta({ description: 'Only items after the one of this id.' }),
});

const defaultLimit = 20;

const notKept = { 404: jsonAnswer(openaiError, 'There is no such response of this key') };

/** The routes of responses that are kept: each key sees its own. */
export function addStoredRoutes(instance: FastifyInstance, deps: ResponseDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { responses, background } = deps;

  app.get('/responses/:response', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show a response, or go on with its stream',
      tags,
      params: path,
      querystring: retrieveQuery,
      response: {
        200: {
          description: 'The response, or its events',
          content: { 'application/json': { schema: responseAnswer }, ...eventStream(responseEvent, responseEventName) },
        },
        ...errorAnswers(openaiError),
        ...notKept,
      },
    },
    handler: async (request, reply) => {
      const { response: id } = request.params;
      const { stream = false, starting_after: after } = request.query;
      const owner = request.principal.id;
      if (!stream && after !== undefined) {
        throw new AppError('invalid_request', '"starting_after" needs "stream": true.', { field: 'starting_after' });
      }
      const running = background.get(owner, id);
      if (running) return stream ? sendFollowed(deps, reply, running, after ?? -1) : running.writer.response();
      const passed = await askKeeper(deps, request, reply, { method: 'get', isStream: stream });
      if (passed !== null) return passed;
      const { response, cost = null } = await responses.load(owner, id);
      if (!stream) {
        tellCostText(reply, cost);
        return response;
      }
      const events = await responses.eventsOf(owner, id);
      if (events === null && after !== undefined) {
        throw new AppError(
          'invalid_request',
          'The events of this response are not kept: it was not made in the background.',
          {
            field: 'starting_after',
            fix: 'Leave it out: the stream then holds the whole response.',
          },
        );
      }
      return sendEvents(deps, reply, events ?? replayOf(response), after ?? -1);
    },
  });

  app.delete('/responses/:response', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Delete a response',
      tags,
      params: path,
      response: { 200: jsonAnswer(deletedAnswer, 'It is gone'), ...errorAnswers(openaiError), ...notKept },
    },
    handler: async (request, reply) => {
      const { response: id } = request.params;
      const owner = request.principal.id;
      const passed = await askKeeper(deps, request, reply, { method: 'delete' });
      if (passed !== null) return passed;
      const running = background.get(owner, id);
      if (running) await running.cancel();
      else assertNotElsewhere((await responses.load(owner, id)).response);
      if (!(await responses.remove(owner, id))) await responses.load(owner, id);
      return { id, object: 'response' as const, deleted: true as const };
    },
  });

  app.post('/responses/:response/cancel', {
    config: { scope: 'inference', allowsEmptyBody: true },
    schema: {
      summary: 'Cancel a response that is made in the background',
      tags,
      params: path,
      response: { 200: jsonAnswer(responseAnswer, 'As it is now'), ...errorAnswers(openaiError), ...notKept },
    },
    handler: async (request, reply) => {
      const { response: id } = request.params;
      const owner = request.principal.id;
      const passed = await askKeeper(deps, request, reply, { method: 'post', suffix: '/cancel' });
      if (passed !== null) return passed;
      const running = background.get(owner, id);
      if (running) {
        await running.cancel();
        return running.writer.response();
      }
      const { response } = await responses.load(owner, id);
      assertNotElsewhere(response);
      if (response.background) return response;
      throw new AppError('invalid_request', 'Only a response that is made in the background can be cancelled.', {
        fix: 'Close the connection to end this one.',
      });
    },
  });

  app.get('/responses/:response/input_items', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List what a response was made for',
      description: 'The input of earlier responses that it goes on from is part of it.',
      tags,
      params: path,
      querystring: itemsQuery,
      response: { 200: jsonAnswer(itemList, 'A page of items'), ...errorAnswers(openaiError), ...notKept },
    },
    handler: async (request, reply) => {
      const { response: id } = request.params;
      const owner = request.principal.id;
      const passed = await askKeeper(deps, request, reply, { method: 'get', suffix: '/input_items' });
      if (passed !== null) return passed;
      const running = background.get(owner, id);
      const stored = running
        ? { response: running.writer.response(), input: running.input }
        : await responses.load(owner, id);
      return toPage(await responses.inputOf(owner, stored), request.query);
    },
  });
}

/** Throws for one that a replica still makes: it alone can end that. */
function assertNotElsewhere(response: ResponseAnswer): void {
  if (hasEnded(response)) return;
  throw new AppError(
    'invalid_request',
    'The response is made by another replica of this server, which alone can end it.',
    {
      fix: 'Ask again by the same way that it was asked for, or wait until it has ended.',
    },
  );
}

function toPage(items: readonly Item[], { limit = defaultLimit, order = 'desc', after }: z.infer<typeof itemsQuery>) {
  const sorted = order === 'asc' ? items : items.toReversed();
  const place = after === undefined ? -1 : sorted.findIndex(({ id }) => id === after);
  if (after !== undefined && place === -1) {
    throw new AppError('invalid_request', '"after" is no item of the list.', { field: 'after' });
  }
  const data = sorted.slice(place + 1, place + 1 + limit);
  return {
    object: 'list' as const,
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: place + 1 + limit < sorted.length,
  };
}

function sendEvents(
  deps: ResponseDeps,
  reply: FastifyReply,
  events: readonly ResponseEvent[],
  after: number,
): FastifyReply {
  async function* records(): AsyncGenerator<SseItem> {
    for (const event of events) if (event.sequence_number > after) yield toSseItem(event);
  }
  return sendStream(reply, records(), {
    framing: responseFraming,
    gone: clientGone(reply),
    clock: deps.clock,
    log: deps.log,
  });
}
