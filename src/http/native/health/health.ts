import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { toAppError } from '../../../core/errors.ts';
import { formatBytes } from '../../../core/format-units.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, publicErrorAnswers } from '../../mount/describe.ts';
import { logError } from '../../mount/error-handler.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { healthAnswer } from './schema.ts';

type Health = 'healthy' | 'degraded' | 'unhealthy';

/** `GET /health`: one superset of what the seed specifications ask for. It holds no names, so it needs no key. */
export function addHealthRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.get('/health', {
    config: { isPublic: true },
    schema: {
      summary: 'Health of the server',
      description:
        'Degraded: it shuts down, a model rests after crashes, or no model can be used. Unhealthy: the engine does not answer.',
      tags: [mount.tag],
      response: {
        200: jsonAnswer(healthAnswer, 'Healthy or degraded'),
        503: jsonAnswer(healthAnswer, 'Unhealthy'),
        ...publicErrorAnswers(mount.errorSchema),
      },
    },
    handler: async (request, reply) => {
      const models = await deps.engine.listModels().catch((error: unknown) => {
        logError(deps.log, toAppError(error), request.id);
        return null;
      });
      const engine = models === null ? 'unhealthy' : deps.lifecycle.draining() ? 'degraded' : 'healthy';
      const components = { engine, models: healthOf(models) } satisfies Record<string, Health>;
      const memory = deps.engine.memory();
      return reply.code(engine === 'unhealthy' ? 503 : 200).send({
        server: 'hearth' as const,
        status: worst([components.engine, components.models]),
        version: deps.version,
        timestamp: deps.clock.now().toISOString(),
        model_loaded: models?.some((model) => model.loaded !== null) ?? false,
        memory_usage: `${formatBytes(memory.usedBytes)}/${formatBytes(memory.budgetBytes)}`,
        memory: {
          budget_bytes: memory.budgetBytes,
          available_bytes: memory.availableBytes,
          used_bytes: memory.usedBytes,
          reserve_bytes: memory.reserveBytes,
          source: memory.source,
        },
        active_connections: deps.activeConnections(),
        aws: 'not_configured',
        clients_initialized: true,
        components,
        gpus: deps.engine.gpu().devices.map(({ device, freeBytes }) => ({
          name: device.name,
          backend: device.backend,
          kind: device.kind,
          memory_bytes: device.totalBytes,
          memory_free_bytes: freeBytes,
        })),
      });
    },
  });
}

function healthOf(models: LocalModel[] | null): Health {
  if (models === null) return 'unhealthy';
  const usable = models.filter((model) => model.state !== 'invalid');
  return usable.length === 0 || usable.some((model) => model.state === 'quarantined') ? 'degraded' : 'healthy';
}

function worst(states: Health[]): Health {
  if (states.includes('unhealthy')) return 'unhealthy';
  return states.includes('degraded') ? 'degraded' : 'healthy';
}
