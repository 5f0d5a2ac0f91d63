import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import type { Begun } from '../../answer/answer.ts';
import {
  addIgnored,
  askedAsItCame,
  namesIgnored,
  relaysOriginals,
  respond,
  withOriginal,
} from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, workErrorAnswers } from '../../mount/describe.ts';
import { openaiError, streamData } from '../objects/answer-schema.ts';
import { namesOf } from '../objects/common-to-core.ts';
import { newHead, streamForm, toStreamOptions } from '../objects/stream.ts';
import { chatAnswer, chatChunk } from './answer-schema.ts';
import { toChatCompletion, toChatRecords } from './from-core.ts';
import { ignoredBelow } from './ignored.ts';
import { type ChatBody, chatBody, ignoredChatFields } from './schema.ts';
import { chatToCore } from './to-core.ts';
import { customNames, isOlderForm } from './tools.ts';

const names: FieldNames = {
  ...sharedNames,
  'logprobs.top': 'top_logprobs',
  'input.messages': 'messages',
  'input.tools': 'tools',
  'input.toolChoice': 'tool_choice',
  'input.templateOptions': 'chat_template_kwargs',
  'input.*': 'messages',
  'reasoning.effort': 'reasoning_effort',
  reasoning: 'reasoning_effort',
  serviceTier: 'service_tier',
};

export { chatBody } from './schema.ts';
export { chatToCore } from './to-core.ts';

const olderNames: FieldNames = { ...names, 'input.tools': 'functions', 'input.toolChoice': 'function_call' };

/** What a body calls the fields of the core. */
export function chatNames(body: ChatBody): FieldNames {
  return namesOf(body, isOlderForm(body) ? olderNames : names);
}

/** `POST /chat/completions`. */
export function addChatRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/chat/completions', {
    config: { scope: 'inference', startsWork: true, relays: { dialect: 'openai', path: '/v1/chat/completions' } },
    attachValidation: true,
    preHandler: [relaysOriginals(deps), namesIgnored(ignoredChatFields)],
    schema: {
      summary: 'Answer a conversation',
      description:
        'As OpenAI has it. With "stream": true the answer is an event stream of chunks that ends with [DONE].',
      tags,
      body: chatBody,
      response: {
        200: {
          description: 'The answer, or its chunks',
          content: { 'application/json': { schema: chatAnswer }, ...eventStream(streamData(chatChunk)) },
        },
        ...workErrorAnswers(openaiError),
      },
    },
    handler: async (request, reply) => {
      if (request.validationError) return respond(deps, request, reply, askedAsItCame(request, streamForm));
      addIgnored(reply, ignoredBelow(request.body));
      return respond(deps, request, reply, toAsked(request.body, request, deps));
    },
  });
}

function toAsked(body: ChatBody, request: FastifyRequest, { clock }: RouteDeps) {
  const form = { isOlderForm: isOlderForm(body), customNames: customNames(body) };
  return {
    chats: [withOriginal(request, () => chatToCore(body))] as const,
    names: chatNames(body),
    formOf: (begun: Begun) => {
      const head = newHead('chatcmpl', begun, clock, body.service_tier ? { service_tier: 'default' } : {});
      return {
        ...streamForm,
        toBody: (answer: Answer) => toChatCompletion(head, answer, { ...form, hasLogprobs: body.logprobs ?? false }),
        toRecords: (events: AsyncIterable<StreamEvent>) =>
          toChatRecords(head, events, { ...toStreamOptions(body, clock), ...form }),
      };
    },
  };
}
