import type { FastifyInstance } from 'fastify';
import { checkKey } from '../../auth/keys.ts';
import type { Config } from '../../config/schema.ts';
import { headerValues } from '../headers.ts';

/** Asks every route for the configured key, unknown URLs included, unless the route is declared public. */
export function addAuth(app: FastifyInstance, config: Config): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.routeOptions.config.isPublic || config.server.apiKey === null) return;
    // A browser asks for a user name only when told a scheme it knows; Bearer it does not, so no dialog appears.
    reply.header('www-authenticate', 'Bearer');
    const authorization = headerValues(request.raw, 'authorization');
    checkKey({ authorization, apiKey: headerValues(request.raw, 'x-api-key') }, config.server.apiKey);
    reply.removeHeader('www-authenticate');
  });
}
