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
import { completionAnswer } from './answer-schema.ts';
import { toCompletion, toCompletionRecords } from './from-core.ts';
import { type CompletionBody, completionBody } from './schema.ts';
import { completionToCore } from './to-core.ts';

const names: FieldNames = { ...sharedNames, 'input.*': 'prompt' };

/** `POST /completions`. */
export function addCompletionRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
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
    handler: async (request, reply) => respond(deps, request, reply, toAsked(request.body, deps)),
  });
}

function toAsked(body: CompletionBody, { clock }: RouteDeps) {
  return {
    chat: completionToCore(body),
    names,
    formOf: ({ model }: Begun) => {
      const head = newHead('cmpl', model, clock);
      return {
        ...streamForm,
        toBody: (answer: Answer) => toCompletion(head, answer, (body.logprobs ?? null) !== null),
        toRecords: (events: AsyncIterable<StreamEvent>) => toCompletionRecords(head, events, toStreamOptions(body)),
      };
    },
  };
}
