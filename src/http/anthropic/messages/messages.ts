import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { CallContext } from '../../../core/call.ts';
import type { ChatRequest } from '../../../core/chat.ts';
import type { AppError } from '../../../core/errors.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import {
  addIgnored,
  askedAsItCame,
  namesIgnored,
  relaysOriginals,
  respond,
  type SseItem,
  sseFraming,
  withOriginal,
} from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream } from '../../mount/describe.ts';
import { anthropicError, workErrorAnswers } from '../objects/answer-schema.ts';
import { type AppliedEdit, editContext } from '../objects/context-edits.ts';
import { errorEnvelope } from '../objects/errors.ts';
import { names } from '../objects/field-names.ts';
import { tellLeftOut } from '../objects/left-out.ts';
import { versionOf } from '../objects/version.ts';
import { messageAnswer, messageEvent, messageEventName } from './answer-schema.ts';
import { newMessageId, toMessage } from './from-core.ts';
import { pingRecord, startRecord, toMessageRecords } from './records.ts';
import { ignoredFields, type MessagesBody, messagesBody } from './schema.ts';
import { messagesToCore } from './to-core.ts';

export { messageAnswer, messageEvent } from './answer-schema.ts';
export { ignoredFields, type MessagesBody, messagesBody } from './schema.ts';
export { messagesToCore } from './to-core.ts';

/**
 * From when on a stream begins without its answer: coding agents give up 15 s after they asked, and what fails earlier
 * keeps its true status.
 */
const earlyMs = 9_000;

const framing = sseFraming(pingRecord);

/** `POST /messages`. */
export function addMessagesRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/messages', {
    config: { scope: 'inference', startsWork: true, relays: { dialect: 'anthropic', path: '/v1/messages' } },
    attachValidation: true,
    preHandler: [relaysOriginals(deps), namesIgnored(ignoredFields)],
    schema: {
      summary: 'Answer a conversation',
      description: 'As Anthropic has it. With "stream": true the answer is an event stream.',
      tags,
      body: messagesBody,
      response: {
        200: {
          description: 'The answer, or its events',
          content: { 'application/json': { schema: messageAnswer }, ...eventStream(messageEvent, messageEventName) },
        },
        ...workErrorAnswers(anthropicError),
      },
    },
    handler: async (request, reply) =>
      request.validationError
        ? respond(deps, request, reply, askedAsItCame(request, { framing, toErrorRecord: errorRecordOf(request) }))
        : respond(deps, request, reply, toAsked(request.body, request, reply, deps)),
  });
}

function errorRecordOf(request: FastifyRequest) {
  return (error: AppError): SseItem => ({ event: 'error', data: errorEnvelope(error, request.id) });
}

/** What a request for a message asks for, and how its answer is worded. Names in headers of the reply what changes nothing. */
export function toAsked(body: MessagesBody, request: FastifyRequest, reply: FastifyReply, deps: RouteDeps) {
  const chat = withOriginal(request, () => {
    const {
      chat: read,
      ignored,
      leftOut,
    } = messagesToCore(body, {
      version: versionOf(request),
      leavesOut: deps.config.server.dropAttribution,
    });
    addIgnored(reply, ignored);
    tellLeftOut(reply, leftOut);
    return read;
  });
  if (chat.endUserId !== undefined) {
    const endUser = createHash('sha256').update(chat.endUserId).digest('hex').slice(0, 16);
    deps.log.debug({ requestId: request.id, endUser }, 'a request for a person behind the client');
  }
  const id = newMessageId();
  // Whoever takes the request as it came edits it, too.
  const edits = request.mayRelay ? [] : (body.context_management?.edits ?? []);
  let applied: AppliedEdit[] | null = body.context_management ? [] : null;
  const wish = {
    omitsThinking: body.thinking != null && 'display' in body.thinking && body.thinking.display === 'omitted',
    appliedEdits: () => applied,
  };
  const form = (hasBegun: boolean) => ({
    framing,
    toBody: (answer: Answer) => toMessage(id, answer, wish),
    toRecords: (events: AsyncIterable<StreamEvent>) => toMessageRecords(id, events, { ...wish, hasBegun }),
    toErrorRecord: errorRecordOf(request),
  });
  return {
    chats:
      edits.length === 0
        ? ([chat] as const)
        : async (context: CallContext): Promise<readonly [ChatRequest]> => {
            const count = async (one: ChatRequest) => (await deps.gateway.count(one, context)).promptTokens;
            const edited = await editContext(chat, edits, count);
            applied = edited.applied;
            return [edited.chat];
          },
    names,
    formOf: () => form(false),
    early: { afterMs: earlyMs, records: () => [startRecord(id, body.model, null), pingRecord], form: form(true) },
  };
}
