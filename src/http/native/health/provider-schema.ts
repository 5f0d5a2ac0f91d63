import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';

const circuitState = z.enum(['closed', 'open', 'half_open']);

const health = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown', 'disabled']).meta({
    description: 'unknown: it was never asked. Degraded from a tenth of its calls on that fail, unhealthy from a half.',
  }),
  latency_ms: count.nullable().meta({ description: 'Until the first content of its last answer.' }),
  last_check: timestamp.nullable().meta({ description: 'When it last answered or failed.' }),
  error: z.string().optional().meta({ description: 'Why it is not healthy.' }),
});

export const providersHealthAnswer = z
  .object({
    overall_status: z.enum(['healthy', 'degraded', 'unhealthy']),
    providers: z.record(z.string(), health.extend({ circuit_breaker: circuitState })),
    healthy_count: count,
    unhealthy_count: count,
    unknown_count: count,
  })
  .meta({ id: 'ProvidersHealth' });

export const providerHealthAnswer = health
  .extend({
    provider_id: z.string(),
    error_rate: z.number().min(0).max(1).nullable(),
    circuit_breaker: z.object({ state: circuitState, failure_count: count, success_count: count }),
    rate_limit: z
      .object({ remaining: count, limit: count, reset_at: timestamp })
      .nullable()
      .meta({ description: 'Of the first that it has of requests a minute, tokens a minute, requests a day.' }),
  })
  .meta({ id: 'ProviderHealth' });

export const circuitsAnswer = z
  .object({
    circuit_breakers: z.record(
      z.string(),
      z.object({
        state: circuitState,
        failure_count: count,
        success_count: count,
        last_failure: timestamp.nullable(),
        opens_at: timestamp.optional().meta({ description: 'When an open one lets a call through that tries.' }),
        models: z.record(z.string(), circuitState),
      }),
    ),
  })
  .meta({ id: 'CircuitBreakers' });
