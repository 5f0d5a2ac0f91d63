import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A new request id: `req_` and 24 random hexadecimal digits. */
export function newRequestId(): string {
  // Node draws the randomness of many of these at once; asking for a few bytes takes fifty times as long.
  const id = randomUUID();
  return `req_${id.slice(0, 8)}${id.slice(9, 13)}${id.slice(24)}`;
}

/** The client's `X-Request-ID` if it is fit for logs and headers, else a new one. */
export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(given) ? given : newRequestId();
}
