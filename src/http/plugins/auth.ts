import type { FastifyInstance } from 'fastify';
import { checkKey } from '../../auth/keys.ts';
import type { Config } from '../../config/schema.ts';
import { anonymous, type Principal } from '../../core/call.ts';
import { headerValues } from './headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    principal: Principal;
  }
}

/** Asks every route for a configured key, unknown URLs included, unless the route is declared public. */
export function addAuth(app: FastifyInstance, config: Config): void {
  app.decorateRequest('principal');
  app.addHook('onRequest', async (request, reply) => {
    request.principal = anonymous;
    if (request.routeOptions.config.isPublic || config.server.apiKeys.length === 0) return;
    // A browser asks for a user name only when told a scheme it knows; Bearer it does not, so no dialog appears.
    reply.header('www-authenticate', 'Bearer');
    const authorization = headerValues(request.raw, 'authorization');
    const id = checkKey({ authorization, apiKey: headerValues(request.raw, 'x-api-key') }, config.server.apiKeys);
    if (id !== null) request.principal = { id, cacheOwner: config.models.prefixSharing === 'per_key' ? id : null };
    reply.removeHeader('www-authenticate');
  });
}
