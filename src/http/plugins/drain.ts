import type { FastifyInstance } from 'fastify';
import { AppError } from '../../core/errors.ts';
import type { HttpDeps } from '../mount/deps.ts';
import { atOnce } from './hooks.ts';

const retryAfterSeconds = 5;

/** What new work is told while the server drains. */
export function shuttingDown(): AppError {
  return new AppError('shutting_down', 'The server is shutting down and takes no new work.', { retryAfterSeconds });
}

/** While draining, refuses routes that start work and asks clients to let go of their connections. */
export function addDrain(app: FastifyInstance, deps: Pick<HttpDeps, 'lifecycle'>): void {
  app.addHook(
    'onRequest',
    atOnce((request, reply) => {
      if (!deps.lifecycle.draining()) return;
      reply.header('connection', 'close');
      if (request.routeOptions.config.startsWork) throw shuttingDown();
    }),
  );
}
