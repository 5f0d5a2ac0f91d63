import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isListedOrigin } from '../../config/origins.ts';
import type { Config } from '../../config/schema.ts';
import { AppError } from '../../core/errors.ts';
import { atOnce } from './hooks.ts';

const allowedHeaders = ['authorization', 'content-type', 'x-api-key', 'x-request-id'];
const exposedHeaders =
  'X-Request-ID, Request-ID, X-Provider-Used, X-Model-Used, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset';

/**
 * Answers browsers on other origins, if they are configured; without `server.origins` no CORS header is ever sent.
 * A foreign origin may not change anything either: a POST without a body needs no preflight, so the browser alone would
 * not stop it. A WebSocket upgrade is stopped for the same reason.
 */
export function addCors(app: FastifyInstance, config: Config): void {
  const { origins } = config.server;
  app.addHook(
    'onRequest',
    atOnce((request, reply) => {
      const origin = request.headers.origin;
      if (origin === undefined) return;
      if (origins.length > 0) reply.header('vary', 'Origin');
      if (isListedOrigin(origin, origins)) {
        reply.header('access-control-allow-origin', origins.includes('*') ? '*' : origin);
        reply.header('access-control-expose-headers', exposedHeaders);
        if (isPreflight(request)) answerPreflight(request, reply);
        return;
      }
      if (isSameOrigin(origin, request.headers.host)) return;
      const changesSomething = !['GET', 'HEAD', 'OPTIONS'].includes(request.method);
      if (changesSomething || request.routeOptions.config.isWebSocket) {
        throw new AppError('forbidden', 'Pages of this origin may not use this server.', {
          fix: 'List the origin in HEARTH_ORIGINS.',
        });
      }
    }),
  );
}

/** The origin's scheme is taken for ours: a proxy in front may speak https while it asks us in http. */
function isSameOrigin(origin: string, host: string | undefined): boolean {
  const scheme = /^https?:/.exec(origin)?.[0];
  if (scheme === undefined || host === undefined) return false;
  const own = `${scheme}//${host}`;
  return URL.canParse(origin) && URL.canParse(own) && new URL(origin).origin === new URL(own).origin;
}

function isPreflight(request: FastifyRequest): boolean {
  return request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined;
}

function answerPreflight(request: FastifyRequest, reply: FastifyReply): void {
  const asked = (request.headers['access-control-request-headers'] ?? '').toLowerCase().split(',');
  // SDKs add headers of their own; on a listed origin they are no risk, as no cookie is ever used here.
  const names = asked.map((name) => name.trim()).filter((name) => /^[a-z0-9-]{1,64}$/.test(name));
  reply
    .code(204)
    .header('access-control-allow-methods', 'GET, HEAD, POST, PATCH, DELETE')
    .header('access-control-allow-headers', [...new Set([...allowedHeaders, ...names])].join(', '))
    .header('access-control-max-age', '600')
    .send();
}
