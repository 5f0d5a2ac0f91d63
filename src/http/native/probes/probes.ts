import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer, publicErrorAnswers } from '../../mount/describe.ts';
import { rootMount } from '../mounts/mounts.ts';

const tags = ['Operation'];
const publicErrors = publicErrorAnswers(rootMount.errorSchema);

/** What stands at the root only: probes, metrics and the front door. */
export function addProbeRoutes(instance: FastifyInstance, deps: RouteDeps): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();

  app.get('/livez', {
    config: { scope: 'public' },
    schema: {
      summary: 'Whether the process answers',
      description: 'Depends on no model and no disk: only a dead process fails it.',
      tags,
      response: { 200: jsonAnswer(z.object({ status: z.literal('alive') }), 'It does'), ...publicErrors },
    },
    handler: async () => ({ status: 'alive' as const }),
  });

  app.get('/readyz', {
    config: { scope: 'public' },
    schema: {
      summary: 'Whether new work is taken',
      tags,
      response: {
        200: jsonAnswer(z.object({ status: z.literal('ready') }), 'It is'),
        503: jsonAnswer(z.object({ status: z.literal('draining') }), 'The server is shutting down'),
        ...publicErrors,
      },
    },
    handler: async (_request, reply) =>
      deps.lifecycle.draining()
        ? reply.code(503).send({ status: 'draining' as const })
        : reply.send({ status: 'ready' as const }),
  });

  app.get('/metrics', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Metrics in Prometheus text format',
      tags,
      response: {
        200: { description: 'The metrics', content: { 'text/plain': { schema: z.string() } } },
        ...errorAnswers(rootMount.errorSchema),
      },
    },
    handler: async (_request, reply) => reply.type(deps.metrics.contentType).send(await deps.metrics.render()),
  });

  app.get('/', {
    config: { scope: 'public' },
    schema: {
      summary: 'Front door',
      description:
        "Sends a browser to the page at /ui; tells everybody else that the server runs, in the words that Ollama's clients look for.",
      tags,
      response: {
        200: { description: 'The server runs', content: { 'text/plain': { schema: z.string() } } },
        302: { description: 'To /ui' },
        ...publicErrors,
      },
    },
    handler: async (request, reply) => {
      if (request.headers.accept?.includes('text/html')) return reply.redirect('ui/');
      return reply.type('text/plain; charset=utf-8').send('Ollama is running');
    },
  });
}
