import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { ChatRequest } from '../../../core/chat.ts';
import type { AppError } from '../../../core/errors.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import { addIgnored, namesIgnored, ndjsonFraming, respond } from '../../answer/answer.ts';
import type { FieldNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { workErrorAnswers } from '../../mount/describe.ts';
import { assertMayLoad } from '../../mount/visible-models.ts';
import { errorBody, ollamaError } from '../objects/errors.ts';
import { assertThinks, ensureContext, loadOrUnload } from '../objects/loading.ts';
import { modelOf, tags } from '../objects/names.ts';
import { namesIgnoredOptions, toCoreOptions } from '../objects/options.ts';
import { beginLine, type Head } from '../objects/records.ts';
import { commonNames, toKeepAlive } from '../objects/wishes.ts';
import { toChatAnswer, toChatLines } from './from-core.ts';
import { ignoredInMessages } from './messages.ts';
import { chatBody, chatLine } from './schema.ts';
import { withoutOldest } from './shorten.ts';
import { chatToCore } from './to-core.ts';

const names: FieldNames = {
  ...commonNames,
  'input.messages': 'messages',
  'input.tools': 'tools',
  'input.*': 'messages',
};

/** Nothing of a context is shifted here: a full one ends the answer. */
const ignored = ['shift'];

/** `POST /chat`. */
export function addChatRoute(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/chat', {
    config: { scope: 'inference', startsWork: true },
    preHandler: [
      namesIgnored(ignored),
      namesIgnoredOptions,
      async ({ body }, reply) => addIgnored(reply, ignoredInMessages(body.messages ?? [])),
    ],
    schema: {
      summary: 'Answer a conversation',
      description: 'As Ollama has it: lines of JSON, or one object with "stream": false.',
      tags,
      body: chatBody,
      response: {
        200: {
          description: 'The answer, or its lines',
          content: { 'application/json': { schema: chatLine }, 'application/x-ndjson': { schema: chatLine } },
        },
        ...workErrorAnswers(ollamaError),
      },
    },
    handler: async (request, reply) => {
      const { body } = request;
      const model = modelOf(body);
      assertMayLoad(deps, request.principal, model);
      const { contextTokens } = toCoreOptions(body.options);
      const chat = chatToCore(body);
      const startMs = deps.clock.monotonicMs();
      const elapsedMs = () => deps.clock.monotonicMs() - startMs;
      if ((body.messages ?? []).length === 0) {
        const wish = { ...toKeepAlive(body), ...(contextTokens !== undefined && { contextTokens }) };
        const done_reason = await loadOrUnload(deps, model, wish);
        const line = beginLine({ model, now: deps.clock.now });
        return { ...line, message: { role: 'assistant' as const, content: '' }, done: true, done_reason };
      }
      await assertThinks(deps, model, chat.reasoning);
      await ensureContext(deps, model, contextTokens);
      body.stream ??= true;
      const head: Head = { model, now: deps.clock.now, elapsedMs, preparedMs: elapsedMs() };
      const ask = (asked: ChatRequest) => respond(deps, request, reply, toAsked(head, asked));
      if (body.truncate === false) return ask(chat);
      return withoutOldest(chat, ask, (messages) => reply.header('x-hearth-truncated', String(messages)));
    },
  });
}

function toAsked(head: Head, chat: ChatRequest) {
  return {
    chats: [chat] as const,
    names,
    formOf: () => ({
      framing: ndjsonFraming,
      toBody: (answer: Answer) => toChatAnswer(head, answer),
      toRecords: (events: AsyncIterable<StreamEvent>) => toChatLines(head, events),
      toErrorRecord: (error: AppError): object => errorBody(error),
    }),
  };
}
