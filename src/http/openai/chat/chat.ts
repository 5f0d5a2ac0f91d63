import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import type { Begun } from '../../answer/answer.ts';
import { respond } from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { workErrorAnswers } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { newHead, streamForm, toStreamOptions } from '../objects/stream.ts';
import { chatAnswer, chatChunk } from './answer-schema.ts';
import { toChatCompletion, toChatRecords } from './from-core.ts';
import { type ChatBody, chatBody } from './schema.ts';
import { chatToCore } from './to-core.ts';

const names: FieldNames = {
  ...sharedNames,
  format: 'response_format',
  'logprobs.top': 'top_logprobs',
  'input.messages': 'messages',
  'input.tools': 'tools',
  'input.toolChoice': 'tool_choice',
  'input.templateOptions': 'chat_template_kwargs',
  'input.*': 'messages',
};

/** `POST /chat/completions`. */
export function addChatRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
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
    handler: async (request, reply) => respond(deps, request, reply, toAsked(request.body, deps)),
  });
}

function toAsked(body: ChatBody, { clock }: RouteDeps) {
  return {
    chat: chatToCore(body),
    names,
    formOf: ({ model }: Begun) => {
      const head = newHead('chatcmpl', model, clock);
      return {
        ...streamForm,
        toBody: (answer: Answer) => toChatCompletion(head, answer, body.logprobs ?? false),
        toRecords: (events: AsyncIterable<StreamEvent>) => toChatRecords(head, events, toStreamOptions(body)),
      };
    },
  };
}
