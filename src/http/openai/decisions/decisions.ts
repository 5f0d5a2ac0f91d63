import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { addIgnored, askWhole, namesIgnored } from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import { openaiError } from '../objects/answer-schema.ts';
import { toDecisionAnswer } from './from-core.ts';
import { decisionAnswer, decisionBody, ignoredFields } from './schema.ts';
import { decisionToCore } from './to-core.ts';

export { decisionBody } from './schema.ts';
export { decisionToCore } from './to-core.ts';

const names: FieldNames = { ...sharedNames, state: 'input' };

/** `POST /decisions` of the OpenAI dialect. */
export function addDecisionRoute(instance: FastifyInstance, deps: RouteDeps, tags: string[]): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/decisions', {
    config: { scope: 'inference', startsWork: true },
    preHandler: namesIgnored(ignoredFields),
    schema: {
      summary: 'Answer closed questions about one input with probabilities',
      description:
        'As OpenAI has it, by any chat model. Nothing is generated; a question whose options the model would hardly answer by has a refusal for its answer.',
      tags,
      body: decisionBody,
      response: { 200: jsonAnswer(decisionAnswer, 'A probability for each option'), ...workErrorAnswers(openaiError) },
    },
    handler: async (request, reply) => {
      const asked = decisionToCore(request.body);
      addIgnored(reply, asked.ignored);
      const result = await askWhole(deps, request, reply, names, (context) =>
        deps.gateway.decide(asked.request, context),
      );
      return toDecisionAnswer(asked.questions, result);
    },
  });
}
