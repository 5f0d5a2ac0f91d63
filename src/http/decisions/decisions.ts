import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { z } from 'zod';
import { addIgnored, askWhole } from '../answer/answer.ts';
import { type FieldNames, sharedNames } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../mount/describe.ts';
import { toSystemOne } from './from-core.ts';
import { systemOneAnswer, systemOneBody } from './schema.ts';
import { type NamedRequest, systemOneToCore } from './to-core.ts';

/**
 * `POST /systemone`, the dialect of TypeSafe's System One that llama.cpp and Ollama speak too. Errors have the shape of the
 * mount.
 */
export function addSystemOneRoute(
  instance: FastifyInstance,
  deps: RouteDeps,
  mount: { tag: string; errorSchema: z.ZodType },
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/systemone', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer closed questions about one input with probabilities',
      description:
        'One `state`, many questions: yes or no, a choice, a score. Nothing is generated; a question whose options the model would hardly answer by is missing in `answers`, and `refusals` says why.',
      tags: [mount.tag],
      body: systemOneBody,
      response: {
        200: jsonAnswer(systemOneAnswer, 'A probability for each option'),
        ...workErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const asked = systemOneToCore(request.body);
      addIgnored(reply, asked.ignored);
      const result = await askWhole(deps, request, reply, namesOf(asked), (context) =>
        deps.gateway.decide(asked.request, context),
      );
      return toSystemOne(asked, result);
    },
  });
}

/** The core counts questions, this dialect names them. */
function namesOf({ named }: NamedRequest): FieldNames {
  return {
    ...sharedNames,
    ...Object.fromEntries(named.map(([name], index) => [`questions.${index}`, `questions.${name}`])),
  };
}
