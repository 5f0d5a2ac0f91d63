import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { localProviderId } from '../../../core/call.ts';
import { AppError } from '../../../core/errors.ts';
import { clientGone } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { toDetails, toListed, toModel } from './from-core.ts';
import {
  chainList,
  enableAnswer,
  enableBody,
  listQuery,
  modelList,
  providerDetails,
  providerList,
  providerPath,
  resetAnswer,
  resetBody,
  testAnswer,
  testBody,
} from './schema.ts';
import { existingProvider, providerView, providerViews } from './views.ts';

export { toCapabilities, toLight, toPricing } from './from-core.ts';
export { capabilities, pricing, providerPath, rateLimits } from './schema.ts';
export { configuredView, existingProvider } from './views.ts';
export { addProviderSocket } from './watch.ts';

/** Providers: to list them, to look at one, its models and the chains, to switch one on or off, to close its circuits. */
export function addProviderRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const tags = [mount.tag];
  const errors = errorAnswers(mount.errorSchema);
  const unknown = { 404: jsonAnswer(mount.errorSchema, 'There is no such provider') };

  app.get('/providers', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List the providers',
      description: 'This machine first, then those of the configuration, in its order.',
      tags,
      querystring: listQuery,
      response: { 200: jsonAnswer(providerList, 'The providers'), ...errors },
    },
    handler: async ({ query }, reply) => {
      const views = await providerViews(deps, clientGone(reply).signal);
      const shown = query.enabled_only ? views.filter(({ isOn }) => isOn) : views;
      return {
        providers: shown.map((view) => toListed(view, query.include_models ?? false)),
        total: views.length,
        enabled: views.filter(({ isOn }) => isOn).length,
      };
    },
  });

  app.get('/providers/failover-chains', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List the failover chains',
      tags,
      response: { 200: jsonAnswer(chainList, 'The chains'), ...errors },
    },
    handler: async () => {
      const chains = Object.entries(deps.configuration.current().cloud.chains);
      return {
        chains: Object.fromEntries(
          chains.map(([name, { providers, description }]) => [name, { providers: [...providers], description }]),
        ),
      };
    },
  });

  app.get('/providers/:provider_id', {
    config: { scope: 'inference' },
    schema: {
      summary: 'Show a provider',
      tags,
      params: providerPath,
      response: { 200: jsonAnswer(providerDetails, 'The provider'), ...unknown, ...errors },
    },
    handler: async ({ params }, reply) =>
      toDetails(await providerView(deps, params.provider_id, clientGone(reply).signal)),
  });

  app.get('/providers/:provider_id/models', {
    config: { scope: 'inference' },
    schema: {
      summary: 'List the models of a provider',
      tags,
      params: providerPath,
      response: { 200: jsonAnswer(modelList, 'The models'), ...unknown, ...errors },
    },
    handler: async ({ params }, reply) => {
      const { models, defaultModel } = await providerView(deps, params.provider_id, clientGone(reply).signal);
      const shown = models.map((model) => toModel(model, defaultModel));
      return { provider_id: params.provider_id, models: shown, total: shown.length };
    },
  });

  app.patch('/providers/:provider_id', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Switch a provider on or off',
      description:
        'It stays so when the configuration is read again, until it is switched back, the configuration says another thing of it than before, or the server starts anew. Requests that run go on; new ones pass it over.',
      tags,
      params: providerPath,
      body: enableBody,
      response: {
        200: jsonAnswer(enableAnswer, 'It is switched'),
        ...unknown,
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ params, body }) => {
      const { id } = existingProvider(deps, params.provider_id);
      if (id === localProviderId) {
        throw new AppError('invalid_request', 'This machine cannot be switched off.', { field: 'provider_id' });
      }
      deps.providers.enable(id, body.enabled);
      return {
        status: 'success' as const,
        provider_id: id,
        enabled: body.enabled,
        message: `Provider ${body.enabled ? 'enabled' : 'disabled'} successfully`,
      };
    },
  });

  app.post('/providers/:provider_id/test', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Ask a provider whether it would answer',
      description: 'At once, as cheaply as it can be asked; nothing is generated.',
      tags,
      params: providerPath,
      body: testBody.optional(),
      response: {
        200: jsonAnswer(testAnswer, 'What it said'),
        ...unknown,
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ params }) => {
      const { id } = existingProvider(deps, params.provider_id);
      if (id !== localProviderId && !deps.configuration.current().cloud.cloudAllowed) {
        throw new AppError('forbidden', 'This server sends nothing to cloud providers.', { field: 'provider_id' });
      }
      const probed = await deps.health.probe(id);
      const health = probed ?? deps.health.statusOf(id);
      return {
        provider_id: id,
        answered: probed?.answered ?? health?.status === 'healthy',
        status: health?.status ?? ('disabled' as const),
        latency_ms: health?.latencyMs ?? null,
        error: health?.error ?? null,
      };
    },
  });

  app.post('/providers/:provider_id/reset', {
    config: { scope: 'admin', allowsEmptyBody: true },
    schema: {
      summary: 'Close the circuit breakers of a provider',
      description: 'What was seen of its failures is forgotten; the next request asks it again.',
      tags,
      params: providerPath,
      body: resetBody.optional(),
      response: {
        200: jsonAnswer(resetAnswer, 'They are closed'),
        ...unknown,
        ...bodyErrorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ params }) => {
      const { id } = existingProvider(deps, params.provider_id);
      deps.breakers.reset(id);
      return { status: 'success' as const, provider_id: id, message: 'Circuit breaker reset successfully' };
    },
  });
}
