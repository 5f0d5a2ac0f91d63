import type { IncomingHttpHeaders } from 'node:http';
import { localOnly, type RoutingWish } from '../../core/call.ts';

/**
 * Where a request may go, as its headers `X-Provider` and `X-Failover-Chain` say. Neither lets it leave the house: it is
 * the gateway that knows the names, and refuses those that do not exist.
 */
export function routingOf(headers: IncomingHttpHeaders): RoutingWish {
  return { ...localOnly, provider: oneOf(headers['x-provider']), chain: oneOf(headers['x-failover-chain']) };
}

/** An empty header says nothing. */
function oneOf(value: string | string[] | undefined): string | null {
  const text = [value ?? ''].flat().join(', ');
  return text === '' ? null : text;
}
