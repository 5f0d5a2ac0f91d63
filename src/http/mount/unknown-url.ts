import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../core/errors.ts';
import { atOnce } from '../plugins/hooks.ts';
import type { ErrorHandler } from './error-handler.ts';

/** What differs between the mounts, by the prefix of their URLs, the root's included. */
export type ByPrefix<Value> = readonly (readonly [prefix: string, value: Value])[];

/** The value of the mount that a path belongs to: the longest prefix that matches. */
export function valueFor<Value>(values: ByPrefix<Value>, path: string): Value {
  // The root's prefix is empty and fits everything, `OPTIONS *` included.
  const matching = values.filter(([prefix]) => prefix === '' || path === prefix || path.startsWith(`${prefix}/`));
  return matching.reduce((best, next) => (next[0].length > best[0].length ? next : best))[1];
}

/**
 * Answers URLs that no route has: 404 `not_found`, or 405 with `Allow` where another method would do: the methods of the
 * path as `/openapi.json` has it, where a path that is written out comes before one with a variable. Both in the
 * dialect that speaks under the URL's prefix, as are errors that come before any route is known. The body is not looked
 * at: whatever is wrong with it, the URL is the mistake to be told.
 * Call it before the routes are registered, as it learns them as they come, and after the hooks that may refuse first.
 */
export function addUnknownUrls(app: FastifyInstance, handlers: ByPrefix<ErrorHandler>): void {
  const routes: { pattern: RegExp; variables: number; methods: string[] }[] = [];
  app.addHook('onRoute', (route) => {
    const variables = route.url.match(/[:*]/g)?.length ?? 0;
    routes.push({ pattern: patternOf(route.url), variables, methods: [route.method].flat() });
  });
  app.addHook(
    'onRequest',
    atOnce((request, reply) => {
      if (!request.is404) return;
      const path = pathOf(request.raw.url);
      const matching = routes.filter((route) => route.pattern.test(path));
      // Of `/models/pull` and `/models/:name` the first is meant, though a model may be called "pull".
      const fewest = Math.min(...matching.map((route) => route.variables));
      const nearest = matching.filter((route) => route.variables === fewest);
      const methods = new Set(nearest.flatMap((route) => route.methods));
      if (methods.size === 0) throw new AppError('not_found', `There is nothing at ${request.method} ${shown(path)}.`);
      const allowed = [...methods].sort().join(', ');
      reply.header('allow', allowed);
      throw new AppError('method_not_allowed', `${request.method} is not possible here.`, { fix: `Use ${allowed}.` });
    }),
  );
  app.setErrorHandler((error, request, reply) => valueFor(handlers, pathOf(request.raw.url))(error, request, reply));
}

/** The handler of Fastify's own refusals (a malformed URL), which run no hooks: the id must be sent here. */
export function answerFrameworkError(handlers: ByPrefix<ErrorHandler>) {
  return (error: Error, request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('x-request-id', request.id).header('request-id', request.id);
    valueFor(handlers, pathOf(request.raw.url))(error, request, reply);
  };
}

/** The path of a URL as routes have it: without doubled slashes and one at the end. */
export function pathOf(url: string | undefined): string {
  const path = (url ?? '').split('?', 1)[0]!.replace(/\/{2,}/g, '/');
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** What a message may repeat of a path: printable, and not endless. */
function shown(path: string): string {
  return path.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);
}

/** A route's URL as an expression: `:name` is one part, `*` is the rest. */
function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/:\w+/g, '[^/]+')
    .replace(/\*/g, '.*');
  return new RegExp(`^${source}$`);
}
