import type { WebSocket } from '@fastify/websocket';
import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify';
import { AppError } from '../../core/errors.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { errorAnswers } from '../mount/describe.ts';
import { createErrorHandler } from '../mount/error-handler.ts';
import type { NativeMount } from '../native/mounts/mounts.ts';
import { pullPath } from '../native/store/schema.ts';
import type { Session } from './connection.ts';
import { createPullSession } from './pull-session.ts';
import { createSession } from './session.ts';

/** Paths that may be upgraded, under any mount. */
export const webSocketPaths = /^\/ws\/(?:generate|pull\/[^/]+)$/;

const description = `A WebSocket. The client sends \`{"action":"generate","id"?,"prompt",…}\` with the fields of
/generate, \`{"action":"cancel","id"?}\` or \`{"action":"ping"}\`; the server sends messages of \`type\` "token"
(\`content\`, \`index\`), "reasoning", "done" (\`usage\`, \`finish_reason\`, \`latency_ms\`, \`model\`), "error" (\`error\`) and
"pong", each with the \`id\` that the client gave. Up to eight generations may run on one socket.`;

const pullDescription = `A WebSocket. The server sends the pull at once and after each change, in messages with the
fields of GET /models/pull/{id} and a \`type\`: "progress", and last "done", "error", "cancelled" or "resumable"; then it
closes. The client may send \`{"action":"cancel","discard"?}\` and \`{"action":"ping"}\`. A message that is refused gets
\`type\` "error" and no \`state\`. Closing the socket does not cancel the pull.`;

/** `GET /ws/generate` and `GET /ws/pull/{id}`, upgraded. Key, host, origin and draining are checked before the upgrade, by the root hooks. */
export function webSocketRoutes(deps: RouteDeps, mount: NativeMount, sessions: Set<Session>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(mount.errorBody, deps));
    addWebSocket('/ws/generate', {
      schema: { summary: 'Generate over a WebSocket', description },
      open: (socket, request) => createSession(socket, deps, request),
    });
    addWebSocket('/ws/pull/:id', {
      schema: { summary: 'Follow a pull over a WebSocket', description: pullDescription, params: pullPath },
      open: (socket, request) => createPullSession(socket, deps, request, pullPath.parse(request.params).id),
    });

    function addWebSocket(
      url: string,
      route: { schema: FastifySchema; open: (socket: WebSocket, request: FastifyRequest) => Session },
    ): void {
      app.route({
        method: 'GET',
        url,
        exposeHeadRoute: false,
        config: { startsWork: true, isWebSocket: true },
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
  };
}
