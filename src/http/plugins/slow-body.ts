import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { HttpDeps } from '../mount/deps.ts';
import { atOnce } from './hooks.ts';

/** How long nothing may come of a body that may take as long as it takes. */
const stallMs = 30_000;
const checkMs = 5_000;

/** Requests whose bodies Node's limit for receiving does not count for. */
export type SlowBodies = WeakSet<IncomingMessage>;

/**
 * Lets the bodies of routes with `receivesSlowly` take as long as bytes come: a model is sent to a NAS for minutes. Node
 * knows one limit for all requests; it is passed over for these, and one that stalls for 30 s gets the same answer.
 */
export function addSlowBody(app: FastifyInstance, { clock }: Pick<HttpDeps, 'clock'>, slow: SlowBodies): void {
  app.addHook(
    'onRequest',
    atOnce(({ raw, routeOptions }) => {
      if (routeOptions.config.receivesSlowly !== true) return;
      slow.add(raw);
      const { socket } = raw;
      let received = socket.bytesRead;
      let progressMs = clock.monotonicMs();
      const timer = clock.every(checkMs, () => {
        const nowMs = clock.monotonicMs();
        if (raw.complete) return timer.cancel();
        if (socket.bytesRead !== received) {
          received = socket.bytesRead;
          progressMs = nowMs;
        } else if (nowMs - progressMs >= stallMs) {
          timer.cancel();
          slow.delete(raw);
          const error = Object.assign(new Error('nothing came of the body'), { code: 'ERR_HTTP_REQUEST_TIMEOUT' });
          app.server.emit('clientError', error, socket);
        }
      });
      raw.once('close', () => timer.cancel());
    }),
  );
}
