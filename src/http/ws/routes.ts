import type { WebSocket } from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../../core/errors.ts';
import type { RouteDeps } from '../deps.ts';
import { errorAnswers } from '../describe.ts';
import { createErrorHandler } from '../error-handler.ts';
import type { NativeMount } from '../native/mount.ts';
import { createSession, type Session } from './session.ts';

/** Paths that may be upgraded, under any mount. */
export const webSocketPath = '/ws/generate';

const description = `A WebSocket. The client sends \`{"action":"generate","id"?,"prompt",…}\` with the fields of
/generate, \`{"action":"cancel","id"?}\` or \`{"action":"ping"}\`; the server sends messages of \`type\` "token"
(\`content\`, \`index\`), "reasoning", "done" (\`usage\`, \`finish_reason\`, \`latency_ms\`, \`model\`), "error" (\`error\`) and
"pong", each with the \`id\` that the client gave. Up to eight generations may run on one socket.`;

/** `GET /ws/generate`, upgraded. Key, host, origin and draining are checked before the upgrade, by the root hooks. */
export function webSocketRoutes(deps: RouteDeps, mount: NativeMount, sessions: Set<Session>) {
  return async (app: FastifyInstance): Promise<void> => {
    app.setErrorHandler(createErrorHandler(mount.errorBody, deps));
    app.route({
      method: 'GET',
      url: webSocketPath,
      exposeHeadRoute: false,
      config: { startsWork: true, isWebSocket: true },
      schema: {
        summary: 'Generate over a WebSocket',
        description,
        tags: [mount.tag],
        response: { 101: { description: 'The connection becomes a WebSocket' }, ...errorAnswers(mount.errorSchema) },
      },
      handler: async () => {
        throw new AppError('invalid_request', 'This URL speaks WebSocket; the request asks for no upgrade.');
      },
      wsHandler: (socket: WebSocket, request) => {
        const session = createSession(socket, deps, request);
        sessions.add(session);
        socket.on('close', () => sessions.delete(session));
      },
    });
  };
}
