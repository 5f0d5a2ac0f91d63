import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { AppError } from '../../../core/errors.ts';
import { foldEvents } from '../../../core/events.ts';
import {
  addIgnored,
  askerOf,
  askWhole,
  beginAnswer,
  clientGone,
  nameAnswerer,
  namesIgnored,
  relaysOriginals,
  tellCost,
  tellEstimated,
} from '../../answer/answer.ts';

import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import {
  compactionAnswer,
  inputTokensAnswer,
  responseAnswer,
  responseEvent,
  responseEventName,
} from './answer-schema.ts';
import { createBackground } from './background.ts';
import { toCompaction, toSummaryRequest } from './compact.ts';
import { conversationOf, createResponse, gatewayFor, type ResponseDeps } from './create.ts';
import { createKeptResponses } from './kept-responses.ts';
import { relayResponse } from './relay.ts';
import { compactBody, ignoredFields, inputTokensBody, responseBody } from './schema.ts';
import { createSealed } from './sealed.ts';
import { addStoredRoutes } from './stored.ts';
import { promptToCore, refuseUnkept } from './to-core.ts';

export { responseBody } from './schema.ts';
export { refuseUnkept } from './to-core.ts';

const ignoredByCompact = [
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'service_tier',
  'image',
] as const;

/** How often what replicas that are no more left unfinished is looked for. */
const abandonedLookMs = 30_000;

/** `/responses` and what is under it. */
export function addResponseRoutes(instance: FastifyInstance, routeDeps: RouteDeps, tags: string[]): void {
  const responses = createKeptResponses(routeDeps.kept);
  const background = createBackground({ ...routeDeps, kept: responses });
  const deps: ResponseDeps = { ...routeDeps, responses, background };
  instance.addHook('onReady', async () => failAbandoned(deps));
  // Replicas come and go while this one runs.
  const looking = routeDeps.kept.isShared
    ? routeDeps.clock.every(abandonedLookMs, () => void failAbandoned(deps))
    : null;
  // Before sockets are waited for: a stream that follows one of them ends with it.
  instance.addHook('preClose', async () => {
    looking?.cancel();
    await background.close();
  });
  addCreateRoutes(instance, deps, tags);
  addStoredRoutes(instance, deps, tags);
}

function addCreateRoutes(instance: FastifyInstance, deps: ResponseDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/responses', {
    config: { scope: 'inference', startsWork: true, relays: { dialect: 'openai', path: '/v1/responses' } },
    attachValidation: true,
    preHandler: [relaysOriginals(deps), namesIgnored(ignoredFields)],
    schema: {
      summary: 'Answer a conversation, keep the answer and go on from it',
      description:
        'As OpenAI has it. With "stream": true the answer is an event stream that ends with response.completed, ' +
        'response.incomplete or response.failed.',
      tags,
      body: responseBody,
      response: {
        200: {
          description: 'The response, or its events',
          content: { 'application/json': { schema: responseAnswer }, ...eventStream(responseEvent, responseEventName) },
        },
        ...workErrorAnswers(openaiError),
      },
    },
    handler: async (request, reply) => {
      const { body, principal } = request;
      const before = body.previous_response_id;
      // What is kept here no provider can go on from: it is told what was said.
      const isOurs = typeof before === 'string' && (await deps.responses.has(principal.id, before));
      if (request.mayRelay && !isOurs) return relayResponse(deps, request, reply);
      if (request.validationError) throw request.validationError;
      return createResponse(deps, request, reply);
    },
  });

  // Clients that try a WebSocket first go on over HTTP when they are told so.
  app.get('/responses', {
    config: { scope: 'inference' },
    schema: { hide: true },
    handler: async (request, reply) => {
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
        reply.header('allow', 'POST');
        throw new AppError('method_not_allowed', 'GET is not possible here.', { fix: 'Use POST.' });
      }
      throw new AppError('upgrade_refused', 'Responses are not given over a WebSocket.', {
        fix: 'Use POST, with "stream": true for events.',
      });
    },
  });

  app.post('/responses/input_tokens', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Count the tokens of a prompt',
      tags,
      body: inputTokensBody,
      response: { 200: jsonAnswer(inputTokensAnswer, 'The count'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const { body, principal } = request;
      refuseUnkept(body);
      const { items } = await conversationOf(deps, principal.id, body);
      const asked = promptToCore(body, items, createSealed(deps.seal, principal.id));
      addIgnored(reply, asked.ignored);
      const counted = await askWhole(deps, request, reply, asked.names, (context) =>
        deps.gateway.count(asked.chat, context),
      );
      tellEstimated(reply, counted, 'input_tokens');
      return { object: 'response.input_tokens' as const, input_tokens: counted.promptTokens };
    },
  });

  app.post('/responses/compact', {
    config: { scope: 'inference', startsWork: true },
    preHandler: namesIgnored(ignoredByCompact),
    schema: {
      summary: 'Make a conversation shorter',
      description:
        'The output is what the user said and a summary that the model wrote, which only this server can read; it is the ' +
        'input of the next response, before what comes next.',
      tags,
      body: compactBody,
      response: { 200: jsonAnswer(compactionAnswer, 'The shorter conversation'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const { body, principal } = request;
      const sealed = createSealed(deps.seal, principal.id);
      const { items } = await conversationOf(deps, principal.id, body);
      if (items.length === 0) {
        throw new AppError('invalid_request', '"input" or "previous_response_id" is required.', { field: 'input' });
      }
      const asked = promptToCore({ model: body.model, instructions: body.instructions }, items, sealed);
      const gateway = gatewayFor(deps, { truncation: 'auto' });
      const { signal } = clientGone(reply);
      const asker = { ...askerOf(request, signal), names: asked.names };
      const begun = await beginAnswer({ ...deps, gateway }, asker, toSummaryRequest(asked.chat));
      nameAnswerer(reply, begun);
      const summary = await foldEvents(begun.events, begun.providerId).catch((error: unknown) => {
        throw begun.fail(error);
      });
      tellCost(reply, begun.providerId, begun.costNanoUsd());
      return toCompaction(items, summary, { sealed, nowMs: deps.clock.now().getTime() });
    },
  });
}

/** What an earlier life of the server, or a replica, left in the background was not finished, and says so from now on. */
async function failAbandoned({ responses, log }: ResponseDeps): Promise<void> {
  const error = { code: 'server_error', message: 'The server ended before the response was made.', param: null };
  try {
    for (const { owner, stored } of await responses.abandoned()) {
      await responses.save(owner, { ...stored, response: { ...stored.response, status: 'failed', error } }, null);
    }
  } catch (err) {
    log.warn({ err }, 'unfinished responses of an earlier run could not be read');
  }
}
