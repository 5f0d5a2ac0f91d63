import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Keyring } from '../../auth/keyring.ts';
import { keysInSubprotocols } from '../../auth/subprotocol.ts';
import type { Tickets } from '../../auth/tickets.ts';
import { anonymous, type Principal } from '../../core/call.ts';
import { AppError } from '../../core/errors.ts';
import { innerCallOf } from '../inner/inner.ts';
import { headerValues } from './headers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks. */
    principal: Principal;
  }
}

/**
 * Asks every route for a key that has its scope, and unknown URLs for any key, unless the route is declared public. Routes
 * that pages open without headers of their own also take a ticket in the address, WebSockets a key among the subprotocols too.
 */
export function addAuth(app: FastifyInstance, keyring: Keyring, tickets: Tickets): void {
  app.decorateRequest('principal');
  /** Who held a key before, with what it may do now; it may be gone since. `what`: was done with it, for people. */
  const holderOf = (before: Principal, what: string): Principal => {
    const holder = keyring.again(before);
    if (holder !== null) return holder;
    throw new AppError('unauthorized', `The key that ${what} opens nothing any more.`);
  };
  app.decorateRequest('inner');
  app.addHook('onRequest', async (request, reply) => {
    const inner = innerCallOf(request);
    if (inner !== null) {
      request.inner = inner;
      const { principal } = inner;
      // A signed token has a short life, and a batch outlives it.
      request.principal = principal.tokenEndsAt === undefined ? holderOf(principal, 'made the batch') : principal;
      return;
    }
    const { address } = request;
    request.principal = { ...anonymous, address };
    // A route that does not say is for administrators; a test sees that all do.
    const { scope = request.is404 ? null : 'admin' } = request.routeOptions.config;
    if (scope === 'public' || !keyring.asksForKey()) return;
    // A browser asks for a user name only when told a scheme it knows; Bearer it does not, so no dialog appears.
    reply.header('www-authenticate', 'Bearer');
    const ticket = ticketOf(request);
    const holder =
      ticket === null
        ? await keyring.principalOf(headersOf(request))
        : holderOf(await tickets.redeem(ticket), 'the ticket was issued for');
    request.principal = { ...holder, address };
    reply.removeHeader('www-authenticate');
    if (scope === null || holder.scopes.includes(scope)) return;
    throw new AppError('forbidden', `This key is not one for ${scope === 'admin' ? 'administration' : scope}.`, {
      fix: `Use one that has the scope ${scope}.`,
    });
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
