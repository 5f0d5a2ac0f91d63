import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import type { z } from 'zod';
import type { ListedKey } from '../../../auth/keyring.ts';
import type { KeyWish } from '../../../auth/made-keys.ts';
import { formatUsd } from '../../../core/money.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { bodyErrorAnswers, errorAnswers, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { keyBody, keyList, keyObject, keyPath, madeKeyAnswer } from './schema.ts';

/** `/keys`: to make keys, to see which there are, and to revoke them. */
export function addKeyRoutes(instance: FastifyInstance, deps: RouteDeps, mount: NativeMount): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();
  const { keyring } = deps;
  const tags = [mount.tag];

  app.get('/keys', {
    config: { scope: 'admin' },
    schema: {
      summary: 'List the keys',
      description:
        'Those of the configuration too, and those that were revoked or have expired; never the keys themselves.',
      tags,
      response: { 200: jsonAnswer(keyList, 'The keys'), ...errorAnswers(mount.errorSchema) },
    },
    handler: async () => ({ keys: keyring.list().map(toKeyObject) }),
  });

  app.post('/keys', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Make a key',
      description:
        'The key is shown in this answer and never again. With the first key the server begins to ask for one.',
      tags,
      body: keyBody,
      response: { 201: jsonAnswer(madeKeyAnswer, 'The key'), ...bodyErrorAnswers(mount.errorSchema) },
    },
    handler: async ({ body }, reply) => {
      const { key, made } = await keyring.create(toWish(body));
      reply.code(201).header('cache-control', 'no-store');
      return { key, ...toKeyObject(made) };
    },
  });

  app.delete('/keys/:id', {
    config: { scope: 'admin' },
    schema: {
      summary: 'Revoke a key',
      description: 'From now on it opens nothing. Keys of the configuration are taken away there.',
      tags,
      params: keyPath,
      response: {
        200: jsonAnswer(keyObject, 'The key, revoked'),
        404: jsonAnswer(mount.errorSchema, 'There is no such key'),
        ...errorAnswers(mount.errorSchema),
      },
    },
    handler: async ({ params }) => toKeyObject(await keyring.revoke(params.id)),
  });
}

function toWish({ name, scopes, expires_at, models, cloud, budget, rate_limits }: z.output<typeof keyBody>): KeyWish {
  return {
    name,
    scopes: scopes ?? ['inference'],
    expiresAt: expires_at === undefined ? null : new Date(expires_at),
    models: models ?? null,
    mayUseCloud: cloud ?? true,
    budget: budget
      ? { daily: budget.daily ?? null, weekly: budget.weekly ?? null, monthly: budget.monthly ?? null }
      : null,
    rateLimits: rate_limits
      ? {
          requestsPerMinute: rate_limits.requests_per_minute ?? null,
          tokensPerMinute: rate_limits.tokens_per_minute ?? null,
          requestsPerDay: rate_limits.requests_per_day ?? null,
        }
      : null,
  };
}

function toKeyObject(key: ListedKey): z.infer<typeof keyObject> {
  const { budget, rateLimits } = key;
  const usd = (nanoUsd: bigint | null) => (nanoUsd === null ? null : formatUsd(nanoUsd));
  return {
    id: key.id,
    name: key.name,
    from: key.from,
    ending: key.ending,
    scopes: [...key.scopes],
    created_at: key.createdAt?.toISOString() ?? null,
    expires_at: key.expiresAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    models: key.models && [...key.models],
    cloud: key.mayUseCloud,
    budget: budget && { daily: usd(budget.daily), weekly: usd(budget.weekly), monthly: usd(budget.monthly) },
    rate_limits: rateLimits && {
      requests_per_minute: rateLimits.requestsPerMinute,
      tokens_per_minute: rateLimits.tokensPerMinute,
      requests_per_day: rateLimits.requestsPerDay,
    },
  };
}
