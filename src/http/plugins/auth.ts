import type { FastifyInstance, FastifyRequest } from 'fastify';
import { checkKey } from '../../auth/keys.ts';
import { keysInSubprotocols } from '../../auth/subprotocol.ts';
import type { Tickets } from '../../auth/tickets.ts';
import type { Config } from '../../config/schema.ts';
import { anonymous, type Principal } from '../../core/call.ts';
import { headerValues } from './headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    principal: Principal;
  }
}

/**
 * Asks every route for a configured key, unknown URLs included, unless the route is declared public. Routes that pages
 * open without headers of their own also take a ticket in the address, WebSockets a key among the subprotocols too.
 */
export function addAuth(app: FastifyInstance, config: Config, tickets: Tickets): void {
  app.decorateRequest('principal');
  app.addHook('onRequest', async (request, reply) => {
    request.principal = anonymous;
    const { isPublic } = request.routeOptions.config;
    if (isPublic || config.server.apiKeys.length === 0) return;
    // A browser asks for a user name only when told a scheme it knows; Bearer it does not, so no dialog appears.
    reply.header('www-authenticate', 'Bearer');
    const ticket = ticketOf(request);
    const id = ticket === null ? checkKey(headersOf(request), config.server.apiKeys) : tickets.redeem(ticket);
    if (id !== null) request.principal = { id, cacheOwner: config.models.prefixSharing === 'per_key' ? id : null };
    reply.removeHeader('www-authenticate');
  });
}

function headersOf(request: FastifyRequest) {
  const { raw } = request;
  const offered = request.routeOptions.config.isWebSocket ? headerValues(raw, 'sec-websocket-protocol') : [];
  return {
    authorization: headerValues(raw, 'authorization'),
    apiKey: headerValues(raw, 'x-api-key'),
    subprotocol: keysInSubprotocols(offered.flatMap((value) => value.split(',').map((protocol) => protocol.trim()))),
  };
}

/** Only a single text counts; keys are never read from an address, since addresses end up in logs and histories. */
function ticketOf({ routeOptions: { config }, query }: FastifyRequest): string | null {
  if (!config.isWebSocket && !config.takesTicket) return null;
  const isObject = typeof query === 'object' && query !== null;
  return isObject && 'ticket' in query && typeof query.ticket === 'string' ? query.ticket : null;
}
