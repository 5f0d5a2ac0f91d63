import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Config } from '../../config/schema.ts';
import { AppError } from '../../core/errors.ts';
import { headerValues } from './headers.ts';
import { atOnce } from './hooks.ts';

/**
 * Whether a `Host` header may be answered. Loopback names and IP addresses cannot be rebound by a foreign page's DNS;
 * any other name must be configured.
 */
function isAllowedHost(header: string, server: Pick<Config['server'], 'host' | 'allowedHosts'>): boolean {
  const name = hostName(header);
  if (name === null) return false;
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true;
  return [server.host, ...server.allowedHosts].some((allowed) => allowed.toLowerCase() === name);
}

/** The name or address in a `Host` header, lower-case, without port and brackets; null when it is malformed. */
function hostName(header: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '') ?? null;
}

/**
 * Refuses requests whose `Host` is not ours, on every bind: a page that rebinds its own DNS name to this machine would
 * otherwise be same-origin with it. HTTP/1.0 may leave it out; browsers always send one.
 */
export function addHostCheck(app: FastifyInstance, config: Config): void {
  // Most requests come by the same one.
  let lastAllowed: string | null = null;
  app.addHook(
    'onRequest',
    atOnce((request) => {
      const [host, ...others] = headerValues(request.raw, 'host');
      if (others.length > 0) throw new AppError('invalid_request', 'The request has more than one Host.');
      if (host === undefined) {
        if (request.raw.httpVersion === '1.0') return;
        throw new AppError('invalid_request', 'The request has no Host.');
      }
      if (host === lastAllowed) return;
      if (isAllowedHost(host, config.server)) {
        lastAllowed = host;
        return;
      }
      throw new AppError('forbidden', 'The Host of this request is not one that this server answers for.', {
        fix: 'Use an IP address or localhost, or list the name in HEARTH_ALLOWED_HOSTS.',
      });
    }),
  );
}
