import type { WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify';
import { AppError } from '../../../core/errors.ts';
import { errorAnswers } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import type { Session } from './connection.ts';

export { createConnection, type Session } from './connection.ts';

/**
 * A `GET` that is upgraded to a WebSocket. Key, host, origin and draining are checked before the upgrade, by the root hooks;
 * the server upgrades only what `webSocketPaths` has. `sessions`: the open ones; `open` makes one for a new socket.
 */
export function addWebSocket(
  app: FastifyInstance,
  at: { mount: NativeMount; sessions: Set<Session> },
  url: string,
  route: { schema: FastifySchema; open: (socket: WebSocket, request: FastifyRequest) => Session },
): void {
  const { mount, sessions } = at;
  app.route({
    method: 'GET',
    url,
    exposeHeadRoute: false,
    config: { scope: 'inference', startsWork: true, isWebSocket: true },
    schema: {
      ...route.schema,
      tags: [mount.tag],
      response: { 101: { description: 'The connection becomes a WebSocket' }, ...errorAnswers(mount.errorSchema) },
    },
    handler: async () => {
      throw new AppError('invalid_request', 'This URL speaks WebSocket; the request asks for no upgrade.');
    },
    wsHandler: (socket: WebSocket, request) => {
      const session = route.open(socket, request);
      sessions.add(session);
      socket.on('close', () => sessions.delete(session));
    },
  });
}
