import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { CircuitState, CircuitStatus, HealthStatus, ProviderHealth } from '../../../gateway/gateway.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { existingProvider, providerPath } from '../providers/providers.ts';
import { circuitsAnswer, providerHealthAnswer, providersHealthAnswer } from './provider-schema.ts';

/** How providers are, all of them or one, and their circuits. */
export function addProviderHealthRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);

  app.get('/health/providers', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Health of all providers',
      description:
        'As their answers of the last five minutes tell. One that nobody asked is asked for its list of models, unless global.health_probes is off. Those that are off are not listed.',
      tags,
      response: { 200: jsonAnswer(providersHealthAnswer, 'How they are'), ...errors },
    },
    handler: async () => {
      await deps.health.look();
      const all = deps.health.status();
      const circuits = deps.breakers.status();
      const entries = all.map((health) => {
        const { state } = circuitOf(health.provider, circuits);
        return [health.provider, { ...toHealth(health), circuit_breaker: state }] as const;
      });
      const countOf = (...states: HealthStatus[]) => all.filter(({ status }) => states.includes(status)).length;
      return {
        overall_status: overall(all),
        providers: Object.fromEntries(entries),
        healthy_count: countOf('healthy', 'degraded'),
        unhealthy_count: countOf('unhealthy'),
        unknown_count: countOf('unknown'),
      };
    },
  });

  app.get('/health/providers/:provider_id', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Health of a provider',
      tags,
      params: providerPath,
      response: {
        200: jsonAnswer(providerHealthAnswer, 'How it is'),
        404: jsonAnswer(mount.errorSchema, 'There is no such provider'),
        ...errors,
      },
    },
    handler: async ({ params }) => {
      const { id } = existingProvider(deps, params.provider_id);
      await deps.health.look();
      const health = deps.health.statusOf(id);
      const { state, failure_count, success_count } = circuitOf(id, deps.breakers.status());
      return {
        provider_id: id,
        ...(health ? toHealth(health) : { status: 'disabled' as const, latency_ms: null, last_check: null }),
        error_rate: health?.errorRate ?? null,
        circuit_breaker: { state, failure_count, success_count },
        rate_limit: rateLimitOf(deps, id),
      };
    },
  });

  app.get('/health/circuit-breakers', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Circuit breakers of all providers',
      description:
        'Each model of a provider has a circuit of its own; the state of the provider is that of its worst one. Counts are those of the last minute.',
      tags,
      response: { 200: jsonAnswer(circuitsAnswer, 'The circuits'), ...errors },
    },
    handler: async () => {
      const circuits = deps.breakers.status();
      // This machine has none.
      const ids = [...deps.configuration.current().cloud.providers.keys()];
      return { circuit_breakers: Object.fromEntries(ids.map((id) => [id, circuitOf(id, circuits)])) };
    },
  });
}

function toHealth({ status, latencyMs, lastCheckAt, error }: ProviderHealth) {
  return {
    status,
    latency_ms: latencyMs,
    last_check: lastCheckAt?.toISOString() ?? null,
    ...(error !== null && { error }),
  };
}

/** One that is not known yet has done nothing wrong. */
function overall(all: readonly ProviderHealth[]): 'healthy' | 'degraded' | 'unhealthy' {
  const isDown = all.filter(({ status }) => status === 'unhealthy').length;
  if (all.length > 0 && isDown === all.length) return 'unhealthy';
  return isDown > 0 || all.some(({ status }) => status === 'degraded') ? 'degraded' : 'healthy';
}

const worstFirst: readonly CircuitState[] = ['open', 'half_open', 'closed'];

/** All circuits of a provider as one, and each by its model. */
function circuitOf(provider: string, circuits: readonly CircuitStatus[]) {
  const own = circuits.filter((circuit) => circuit.provider === provider);
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
  const times = own.flatMap(({ lastFailureAt }) => lastFailureAt ?? []).map((time) => time.getTime());
  const tries = own.flatMap(({ triesAt }) => triesAt ?? []).map((time) => time.getTime());
  return {
    state: worstFirst.find((state) => own.some((circuit) => circuit.state === state)) ?? ('closed' as const),
    failure_count: sum(own.map(({ failureCount }) => failureCount)),
    success_count: sum(own.map(({ successCount }) => successCount)),
    last_failure: times.length === 0 ? null : new Date(Math.max(...times)).toISOString(),
    ...(tries.length > 0 && { opens_at: new Date(Math.min(...tries)).toISOString() }),
    models: Object.fromEntries(own.map(({ model, state }) => [model, state])),
  };
}

/** What is left of its first limit; null: it has none. */
function rateLimitOf({ limits }: Pick<RouteDeps, 'limits'>, id: string) {
  const all = limits.status(id);
  const first = all && (all.requestsPerMinute ?? all.tokensPerMinute ?? all.requestsPerDay);
  return first && { remaining: first.remaining, limit: first.limit, reset_at: first.resetAt.toISOString() };
}
