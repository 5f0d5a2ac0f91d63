import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { toAppError } from '../../../core/errors.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, publicErrorAnswers } from '../../mount/describe.ts';
import { logError } from '../../mount/error-handler.ts';
import { ollamaError } from '../objects/errors.ts';

/** `GET /health` of the first seed specification, where its other endpoint stands; `/health` has what the others ask for. */
export function addSharedHealthRoute(instance: FastifyInstance, { engine, log }: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.get('/health', {
    config: { scope: 'public' },
    schema: {
      summary: 'Whether the engine answers',
      description: 'The short form, as the first specification has it; /health says more.',
      tags: ['Operation'],
      response: {
        ...publicErrorAnswers(ollamaError),
        200: jsonAnswer(z.object({ status: z.literal('ok') }), 'It does'),
        500: jsonAnswer(z.object({ status: z.literal('unhealthy') }), 'It does not'),
      },
    },
    handler: async (request, reply) => {
      try {
        await engine.listModels();
        return reply.code(200).send({ status: 'ok' as const });
      } catch (error) {
        logError(log, toAppError(error), request.id);
        return reply.code(500).send({ status: 'unhealthy' as const });
      }
    },
  });
}
