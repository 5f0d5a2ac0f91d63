// For the type of request.ws.
import type {} from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import { innerCallOf } from '../inner/inner.ts';
import type { HttpDeps } from '../mount/deps.ts';
import { atOnce } from './hooks.ts';

/**
 * Counts every request at the end of its response, streams at their last byte. Routes are labelled by their pattern,
 * never by the URL, so that clients cannot make new series.
 */
export function addMetrics(app: FastifyInstance, deps: Pick<HttpDeps, 'clock' | 'log' | 'metrics'>): void {
  app.addHook(
    'onRequest',
    atOnce((request, reply) => {
      // Items of batches are counted as such.
      if (innerCallOf(request) !== null) return;
      const startMs = deps.clock.monotonicMs();
      // The response's own 'close' also comes when the client leaves; Fastify's onResponse does not.
      reply.raw.once('close', () => {
        const route = request.routeOptions.url ?? 'unmatched';
        const seconds = (deps.clock.monotonicMs() - startMs) / 1000;
        const status = reply.raw.headersSent ? reply.raw.statusCode : request.ws && reply.sent ? 101 : 499;
        deps.metrics.httpRequests.inc({ method: request.method, route, status: String(status) });
        deps.metrics.httpSeconds.observe({ route }, seconds);
        deps.log.debug({ requestId: request.id, method: request.method, route, status, seconds }, 'request');
      });
    }),
  );
}
