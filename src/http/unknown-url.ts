import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../core/errors.ts';
import type { ErrorHandler } from './error-handler.ts';

/** The error handlers of the mounts by the prefix of their URLs, the root's included; the longest match wins. */
export type HandlersByPrefix = readonly (readonly [prefix: string, handler: ErrorHandler])[];

/**
 * Answers URLs that no route has: 404 `not_found`, or 405 with `Allow` where another method would do. Both in the
 * dialect that speaks under the URL's prefix, as are errors that come before any route is known.
 * Call it before the routes are registered; it learns them as they come.
 */
export function addUnknownUrls(app: FastifyInstance, handlers: HandlersByPrefix): void {
  const routes: { pattern: RegExp; methods: string[] }[] = [];
  app.addHook('onRoute', (route) => {
    routes.push({ pattern: patternOf(route.url), methods: [route.method].flat() });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = pathOf(request);
    const methods = new Set(routes.filter((route) => route.pattern.test(path)).flatMap((route) => route.methods));
    if (methods.size === 0) throw new AppError('not_found', `There is nothing at ${request.method} ${shown(path)}.`);
    const allowed = [...methods].sort().join(', ');
    reply.header('allow', allowed);
    throw new AppError('method_not_allowed', `${request.method} is not possible here.`, { fix: `Use ${allowed}.` });
  });
  app.setErrorHandler((error, request, reply) => handlerFor(handlers, request)(error, request, reply));
}

/** The handler of Fastify's own refusals (a malformed URL), which run no hooks: the id must be sent here. */
export function answerFrameworkError(handlers: HandlersByPrefix) {
  return (error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id);
    handlerFor(handlers, request)(error, request, reply);
  };
}

function handlerFor(handlers: HandlersByPrefix, request: FastifyRequest): ErrorHandler {
  const path = pathOf(request);
  // The root's prefix is empty and fits everything, `OPTIONS *` included.
  const matching = handlers.filter(([prefix]) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
  return matching.reduce((best, next) => (next[0].length > best[0].length ? next : best))[1];
}

function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? '/').split('?', 1)[0]!;
}

/** What a message may repeat of a path: printable, and not endless. */
function shown(path: string): string {
  return path.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);
}

/** A route's URL as an expression: `:name` is one part, `*` is the rest. */
function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:[A-Za-z]+/g, '[^/]+')
    .replace(/\*/g, '.*');
  return new RegExp(`^${source}$`);
}
