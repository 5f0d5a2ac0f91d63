import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { localProviderId } from '../../../core/call.ts';
import { within } from '../../../core/clock.ts';
import { toAppError } from '../../../core/errors.ts';
import { formatBytes } from '../../../core/format-units.ts';
import { keyStateOf } from '../../../core/provider.ts';
import type { LocalModel } from '../../../engine/engine.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { jsonAnswer, publicErrorAnswers } from '../../mount/describe.ts';
import { logError } from '../../mount/error-handler.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { healthAnswer } from './schema.ts';

export { addProviderHealthRoutes } from './provider-health.ts';

type Health = 'healthy' | 'degraded' | 'unhealthy';

/** A database that takes longer is not healthy. */
const databaseMs = 500;

/** `GET /health`: one superset of what the seed specifications ask for. It holds no names, so it needs no key. */
export function addHealthRoute(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  app.get('/health', {
    config: { scope: 'public' },
    schema: {
      summary: 'Health of the server',
      description:
        'Degraded: it shuts down, a model rests after crashes, no model can be used, or a component beside the engine is not healthy. Unhealthy: the engine does not answer.',
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
      const components = { engine, models: healthOf(models), ...(await componentsOf(deps)) } satisfies Record<
        string,
        Health
      >;
      const memory = deps.engine.memory();
      return reply.code(engine === 'unhealthy' ? 503 : 200).send({
        server: 'hearth' as const,
        // Whoever asks a model of this machine needs none of the others.
        status: worst([components.engine, components.models, ...Object.values(components).map(atMostDegraded)]),
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
        aws: awsOf(deps),
        clients_initialized: true,
        components,
        providers: providersOf(deps),
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

/** What the server has beside its engine. */
async function componentsOf({ configuration, health, kept, clock }: RouteDeps) {
  const providers = health.status().filter(({ provider }) => provider !== localProviderId);
  const down = providers.filter(({ status }) => status === 'unhealthy').length;
  const isTroubled = down > 0 || providers.some(({ status }) => status === 'degraded');
  return {
    config: configuration.state().error === null ? 'healthy' : 'degraded',
    providers: down > 0 && down === providers.length ? 'unhealthy' : isTroubled ? 'degraded' : 'healthy',
    // Who waits for this is a balancer, and a database that says nothing must not take it for dead.
    database: (await within(clock, databaseMs, kept.get('none', 'none'), false)) === null ? 'healthy' : 'unhealthy',
    cache: 'healthy',
  } satisfies Record<string, Health>;
}

/** Whether keys are there. Their names are told where everybody may see them anyway: the route asks for no key. */
function providersOf({ configuration, providers, keyring }: RouteDeps) {
  const all = [...configuration.current().cloud.providers.values()].flatMap(({ id, enabled, apiKey }) => {
    const provider = providers.all().get(id);
    return provider ? [{ id, enabled, key: keyStateOf(apiKey !== null, provider.status()) }] : [];
  });
  const missing = all.filter(({ enabled, key }) => enabled && key === 'missing').length;
  return {
    configured: all.length,
    enabled: all.filter(({ enabled }) => enabled).length,
    without_key: missing,
    ...(!keyring.asksForKey() && { list: all }),
  };
}

/** Of the first provider that is Bedrock and on. */
function awsOf({ configuration, health }: RouteDeps) {
  const { providers } = configuration.current().cloud;
  const own = health.status().find(({ provider }) => providers.get(provider)?.type === 'bedrock');
  if (!own) return 'not_configured';
  if (own.status === 'unknown') return 'configured';
  return own.status === 'unhealthy' ? 'unreachable' : 'connected';
}

function atMostDegraded(state: Health): Health {
  return state === 'unhealthy' ? 'degraded' : state;
}

function worst(states: Health[]): Health {
  if (states.includes('unhealthy')) return 'unhealthy';
  return states.includes('degraded') ? 'degraded' : 'healthy';
}
