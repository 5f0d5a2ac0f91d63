import { createParser } from 'eventsource-parser';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AppError, toAppError } from '../../../core/errors.ts';
import type { KeptAnswerRequest } from '../../../core/provider.ts';
import {
  askedAsItCame,
  askerOf,
  clientGone,
  contextOf,
  respond,
  type SseItem,
  sendPassed,
} from '../../answer/answer.ts';
import { logError } from '../../mount/error-handler.ts';
import { type ResponseDeps, responseFraming } from './create.ts';
import { unknownResponse } from './kept-responses.ts';
import type { ResponseRequest } from './schema.ts';

/**
 * Answers `POST /responses` by whoever takes it as it came. There all our keys are one account, so it is seen to here that
 * nobody goes on from what another key was told; and what a provider keeps only that provider can go on from.
 */
export async function relayResponse(
  deps: ResponseDeps,
  request: FastifyRequest<{ Body: ResponseRequest }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { principal, body } = request;
  const before = body.previous_response_id;
  const keptBy = typeof before === 'string' ? await deps.responses.keeperOf(principal.id, before) : null;
  if (typeof before === 'string' && keptBy === null) throw unknownResponse(before, 'previous_response_id');
  const asked = askedAsItCame(request, { framing: responseFraming, toErrorRecord }, keptBy ?? undefined);
  return respond(deps, request, reply, {
    ...asked,
    names: { keptBy: 'previous_response_id' },
    async onBegun({ responseId, providerId }) {
      if (responseId === null) return;
      // The answer is on its way and paid for; only its next turn will not be taken.
      await deps.responses.notePassed(principal.id, responseId, providerId).catch((error: unknown) => {
        logError(deps.log, toAppError(error), request.id);
      });
    },
  });
}

/**
 * Answers a request about a response by the provider that keeps it. `suffix`: of its path, behind the id. Null: no provider
 * keeps it for this key.
 */
export async function askKeeper(
  deps: ResponseDeps,
  request: FastifyRequest<{ Params: { response: string } }>,
  reply: FastifyReply,
  {
    method,
    suffix = '',
    isStream = false,
  }: Pick<KeptAnswerRequest, 'method'> & { suffix?: string; isStream?: boolean },
): Promise<FastifyReply | null> {
  const { principal, params, url } = request;
  const id = params.response;
  const keeper = await deps.responses.keeperOf(principal.id, id);
  if (keeper === null) return null;
  const path = `/v1/responses/${encodeURIComponent(id)}${suffix}`;
  // Whatever it refuses is told in its own words.
  request.original = { dialect: 'openai', path, bytes: new Uint8Array(), body: {}, headers: {} };
  const query = url.includes('?') ? url.slice(url.indexOf('?')) : '';
  const gone = clientGone(reply);
  const context = contextOf(deps, askerOf(request, gone.signal));
  const asked = { dialect: 'openai', method, path: path + query, isStream } as const;
  const answer = await deps.gateway.askKept(keeper, asked, context);
  if (method === 'delete') await deps.responses.forgetPassed(principal.id, id);
  reply.header('x-provider-used', keeper);
  return sendPassed(deps, request, reply, answer, { gone, form: { framing: responseFraming, toErrorRecord } });
}

function toErrorRecord(error: AppError, sent: string | Uint8Array = ''): SseItem {
  const { code, message, field: param } = error;
  return {
    event: 'error',
    data: { type: 'error', code, message, param, sequence_number: lastNumberIn(sent) + 1 },
  };
}

/** The number of the last event in some records; -1: there is none. */
function lastNumberIn(records: string | Uint8Array): number {
  let last = -1;
  const parser = createParser({
    onEvent({ data }) {
      const event: unknown = jsonOf(data);
      const number = typeof event === 'object' && event !== null && Reflect.get(event, 'sequence_number');
      if (typeof number === 'number') last = number;
    },
  });
  parser.feed(typeof records === 'string' ? records : new TextDecoder().decode(records));
  return last;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A record that is none of the dialect, such as [DONE].
    return null;
  }
}
