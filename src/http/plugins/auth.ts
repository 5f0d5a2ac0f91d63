import type { FastifyInstance } from 'fastify';
import { checkKey } from '../../auth/keys.ts';
import type { Config } from '../../config/schema.ts';
import { headerValues } from './headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose kept prompts the request may use, as `ChatRequest.owner`; null: those that all share. */
    owner: string | null;
  }
}

/** Asks every route for a configured key, unknown URLs included, unless the route is declared public. */
export function addAuth(app: FastifyInstance, config: Config): void {
  app.decorateRequest('owner', null);
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.isPublic || config.server.apiKeys.length === 0) return;
    // A browser asks for a user name only when told a scheme it knows; Bearer it does not, so no dialog appears.
    reply.header('www-authenticate', 'Bearer');
    const authorization = headerValues(request.raw, 'authorization');
    const owner = checkKey({ authorization, apiKey: headerValues(request.raw, 'x-api-key') }, config.server.apiKeys);
    if (config.models.prefixSharing === 'per_key') request.owner = owner;
    reply.removeHeader('www-authenticate');
  });
}

/** The part of a `ChatRequest` that says whose it is. */
export function ownerPart(owner: string | null): { owner?: string } {
  return owner === null ? {} : { owner };
}
