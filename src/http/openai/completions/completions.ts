import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { CallContext } from '../../../core/call.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import type { Gateway } from '../../../gateway/gateway.ts';
import type { Begun } from '../../answer/answer.ts';
import { addIgnored, askedAsItCame, askWhole, namesIgnored, relaysOriginals, respond } from '../../answer/answer.ts';
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
import { type CompletionWish, completionToCore } from './to-core.ts';

export { completionBody } from './schema.ts';
export { completionToCore } from './to-core.ts';

const names: FieldNames = { ...sharedNames, 'input.suffix': 'suffix', 'input.*': 'prompt' };

/** `POST /completions`. */
export function addCompletionRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/completions', {
    config: { scope: 'inference', startsWork: true, relays: { dialect: 'openai', path: '/v1/completions' } },
    attachValidation: true,
    preHandler: [relaysOriginals(deps), namesIgnored(ignoredCompletionFields)],
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
    handler: async (request, reply) => {
      // Several prompts are one request to whoever takes it as it came.
      if (request.mayRelay) return respond(deps, request, reply, askedAsItCame(request, streamForm));
      addIgnored(reply, ignoredInOptions(request.body));
      const wish = completionToCore(request.body);
      const ask = (work: (context: CallContext) => Promise<EchoTexts>) =>
        askWhole(deps, request, reply, namesOf(request.body, names), work);
      const echoes = await echoesOf(wish, ask, deps.gateway.tokens);
      return respond(deps, request, reply, toAsked(request.body, { ...wish, echoes }, deps));
    },
  });
}

/** What stands before each answer, as text. Only prompts that came as tokens are asked for, one after the other. */
async function echoesOf(
  { chats, echoes }: CompletionWish,
  ask: (work: (context: CallContext) => Promise<EchoTexts>) => Promise<EchoTexts>,
  tokensOf: Gateway['tokens'],
): Promise<string[]> {
  const places = echoes.flatMap((echo, place) => (Array.isArray(echo) ? [place] : []));
  if (places.length === 0) return echoes.map((echo) => (typeof echo === 'string' ? echo : ''));
  const { texts } = await ask(async (context) => {
    const results = [];
    for (const place of places) results.push(await tokensOf(chats[place]!, context));
    return { ...results[0]!, texts: results.map(({ text }) => text) };
  });
  return echoes.map((echo, place) => (typeof echo === 'string' ? echo : (texts[places.indexOf(place)] ?? '')));
}

interface EchoTexts {
  providerId: string;
  model: string;
  texts: string[];
}

function toAsked(
  body: CompletionBody,
  { chats, candidates, wanted, echoes }: CompletionWish & { echoes: string[] },
  { clock }: RouteDeps,
) {
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
