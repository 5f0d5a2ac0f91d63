import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import type { Begun } from '../../answer/answer.ts';
import { respond } from '../../answer/answer.ts';
import { addIgnored, namesIgnored } from '../../answer/ignored.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { eventStream, workErrorAnswers } from '../../mount/describe.ts';
import { openaiError, streamData } from '../objects/answer-schema.ts';
import { ignoredInOptions, namesOf } from '../objects/common-to-core.ts';
import { newHead, streamForm, toStreamOptions } from '../objects/stream.ts';
import { completionAnswer } from './answer-schema.ts';
import { keepBest } from './best-of.ts';
import { toCompletion, toCompletionRecords } from './from-core.ts';
import { type CompletionBody, completionBody, ignoredCompletionFields } from './schema.ts';
import { completionToCore } from './to-core.ts';

const names: FieldNames = { ...sharedNames, 'input.suffix': 'suffix', 'input.*': 'prompt' };

/** `POST /completions`. */
export function addCompletionRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/completions', {
    config: { startsWork: true },
    schema: {
      summary: 'Continue text',
      description:
        'Continues the prompt as it stands, without the chat template of the model. With several prompts the choices of ' +
        'the first come first.',
      tags,
      body: completionBody,
      response: {
        200: {
          description: 'The continuation, or its chunks',
          content: {
            'application/json': { schema: completionAnswer },
            ...eventStream(streamData(completionAnswer)),
          },
        },
        ...workErrorAnswers(openaiError),
      },
    },
    preValidation: namesIgnored(completionBody, ignoredCompletionFields),
    handler: async (request, reply) => {
      addIgnored(reply, ignoredInOptions(request.body));
      return respond(deps, request, reply, toAsked(request.body, deps));
    },
  });
}

function toAsked(body: CompletionBody, { clock }: RouteDeps) {
  const { chats, candidates, wanted, echoes } = completionToCore(body);
  const hasLogprobs = (body.logprobs ?? null) !== null;
  const echoOf = (choice: number) => echoes[Math.floor(choice / wanted)] ?? '';
  return {
    chats,
    names: namesOf(body, names),
    formOf: (begun: Begun) => {
      const head = newHead('cmpl', begun, clock);
      return {
        ...streamForm,
        toBody: (answer: Answer) =>
          toCompletion(head, keepBest(answer, { candidates, wanted }), { hasLogprobs, echoOf }),
        toRecords: (events: AsyncIterable<StreamEvent>) =>
          toCompletionRecords(head, events, {
            ...toStreamOptions(body, clock),
            choices: chats.length * wanted,
            echoOf,
          }),
      };
    },
  };
}
