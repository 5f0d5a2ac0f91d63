import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { z } from 'zod';
import { AppError } from '../../../core/errors.ts';
import type { ProviderLimits } from '../../../gateway/gateway.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';

const limitStatus = z
  .object({
    limit: count,
    remaining: count,
    used: count,
    reset_at: timestamp.meta({ description: 'ISO 8601, UTC: when all of it is there again, if nothing more is sent.' }),
  })
  .meta({ id: 'LimitStatus' });

const limits = z
  .object({
    requests_per_minute: limitStatus.optional(),
    tokens_per_minute: limitStatus.optional(),
    requests_per_day: limitStatus.optional(),
  })
  .meta({ id: 'ProviderLimits' });

export const limitsAnswer = z
  .object({ limits: z.record(z.string(), limits).meta({ description: 'By provider; only those that have limits.' }) })
  .meta({ id: 'RateLimits' });

const oneAnswer = z.object({ provider_id: z.string(), ...limits.shape }).meta({ id: 'RateLimitsOfProvider' });

const resetAnswer = z
  .object({ status: z.literal('success'), provider_id: z.string(), message: z.string() })
  .meta({ id: 'RateLimitsReset' });

const providerPath = z.object({ provider_id: z.string().min(1).max(64) });

/** `/rate-limits`: what is left of what is sent to each provider, and a new beginning. */
export function addRateLimitRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const unknown = { 404: jsonAnswer(mount.errorSchema, 'There is no such provider') };
  const providerIds = () => [...deps.configuration.current().cloud.providers.keys()];
  const assertKnown = (id: string) => {
    if (providerIds().includes(id)) return;
    throw new AppError('not_found', `There is no provider called "${id}".`, { field: 'provider_id' });
  };

  app.get('/rate-limits', {
    config: { scope: 'inference' },
    schema: {
      summary: 'What is left of the limits of providers',
      tags,
      response: { 200: jsonAnswer(limitsAnswer, 'The limits'), ...errors },
    },
    handler: async () => {
      await deps.limits.refresh();
      const known = providerIds().map((id) => [id, toLimits(deps.limits.status(id))] as const);
      return { limits: Object.fromEntries(known.filter(([, all]) => Object.keys(all).length > 0)) };
    },
  });

  app.get('/rate-limits/:provider_id', {
    config: { scope: 'inference' },
    schema: {
      summary: 'What is left of the limits of one provider',
      tags,
      params: providerPath,
      response: { 200: jsonAnswer(oneAnswer, 'Its limits'), ...unknown, ...errors },
    },
    handler: async ({ params: { provider_id } }) => {
      assertKnown(provider_id);
      await deps.limits.refresh();
      return { provider_id, ...toLimits(deps.limits.status(provider_id)) };
    },
  });

  app.post('/rate-limits/:provider_id/reset', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Forget what was sent to a provider',
      tags,
      params: providerPath,
      response: { 200: jsonAnswer(resetAnswer, 'Its limits are whole again'), ...unknown, ...errors },
    },
    handler: async ({ params: { provider_id } }) => {
      assertKnown(provider_id);
      await deps.limits.reset(provider_id);
      return { status: 'success' as const, provider_id, message: 'Rate limits reset successfully' };
    },
  });
}

function toLimits(status: ReturnType<ProviderLimits['status']>): z.infer<typeof limits> {
  const shown = (one: NonNullable<typeof status>['requestsPerMinute']) =>
    one && {
      limit: one.limit,
      remaining: one.remaining,
      used: one.limit - one.remaining,
      reset_at: one.resetAt.toISOString(),
    };
  const [minute, tokens, day] = [status?.requestsPerMinute, status?.tokensPerMinute, status?.requestsPerDay].map(
    (one) => (one ? shown(one) : null),
  );
  return {
    ...(minute && { requests_per_minute: minute }),
    ...(tokens && { tokens_per_minute: tokens }),
    ...(day && { requests_per_day: day }),
  };
}
