import type { FastifyInstance } from 'fastify';
import type { FastifyZodOpenApiTypeProvider } from 'fastify-zod-openapi';
import { clientGone, sendStream, sseFraming } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { errorAnswers, eventStream, jsonAnswer } from '../../mount/describe.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { addWebSocket, type Session } from '../sockets/sockets.ts';
import { toPullRecords } from './from-core.ts';
import { createPullSession } from './pull-session.ts';
import { pullData, pullEvent, pullPath } from './schema.ts';

const socketDescription = `A WebSocket. The server sends the pull at once and after each change, in messages with the
fields of GET /models/pull/{id} and a \`type\`: "progress", and last "done", "error", "cancelled" or "resumable"; then it
closes. The client may send \`{"action":"cancel","discard"?}\` and \`{"action":"ping"}\`. A message that is refused gets
\`type\` "error" and no \`state\`. Closing the socket does not cancel the pull.`;

/** Following a pull: `GET /models/pull/{id}/events` as an event stream, `GET /ws/pull/{id}` over a WebSocket. */
export function addPullWatching(
  instance: FastifyInstance,
  deps: RouteDeps,
  mount: NativeMount,
  sessions: Set<Session>,
): void {
  const app = instance.withTypeProvider<FastifyZodOpenApiTypeProvider>();

  app.get('/models/pull/:id/events', {
    config: { scope: 'inference', takesTicket: true },
    exposeHeadRoute: false,
    schema: {
      summary: 'Follow a pull as an event stream',
      description:
        'Records named "progress" for its changes; the last is named "done", "failed", "cancelled" or "resumable".',
      tags: [mount.tag],
      params: pullPath,
      response: {
        200: { description: 'The stream', content: eventStream(pullData(mount), pullEvent) },
        ...errorAnswers(mount.errorSchema),
        404: jsonAnswer(mount.errorSchema, 'There is no such pull'),
      },
    },
    handler: async (request, reply) => {
      const gone = clientGone(reply);
      const changes = deps.store.watchPull(request.params.id, gone.signal);
      const records = toPullRecords(changes, mount);
      return sendStream(reply, records, { framing: sseFraming(), gone, clock: deps.clock, log: deps.log });
    },
  });

  addWebSocket(app, { mount, sessions }, '/ws/pull/:id', {
    schema: { summary: 'Follow a pull over a WebSocket', description: socketDescription, params: pullPath },
    open: (socket, request) => createPullSession(socket, deps, request, pullPath.parse(request.params).id),
  });
}
