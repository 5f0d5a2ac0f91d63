import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { askWhole } from '../../answer/answer.ts';
import { type FieldNames, sharedNames } from '../../fields/field-names.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, workErrorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toDecideAnswer } from './from-core.ts';
import { decideAnswer, decideBody } from './schema.ts';
import { decideToCore } from './to-core.ts';

const names: FieldNames = { ...sharedNames, state: 'input' };

/** `POST /decide`: closed questions about one input, a probability for each option, nothing generated. */
export function addDecideRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.post('/decide', {
    config: { scope: 'inference', startsWork: true },
    schema: {
      summary: 'Answer closed questions about one input with probabilities',
      description:
        'By any chat model. Nothing is generated; a question whose options the model would hardly answer by is refused, with the reason.',
      tags: [mount.tag],
      body: decideBody,
      response: {
        200: jsonAnswer(decideAnswer, 'A probability for each option'),
        ...workErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const asked = decideToCore(request.body);
      const result = await askWhole(deps, request, reply, names, (context) =>
        deps.gateway.decide(asked.request, context),
      );
      return toDecideAnswer(asked.questions, result, request.id);
    },
  });
}
