import type { FastifyInstance } from 'fastify';
import type { RouteDeps } from '../../mount/deps.ts';
import type { NativeMount } from '../mounts/mounts.ts';
import { addWebSocket, type Session } from '../sockets/sockets.ts';
import { createProviderSession } from './session.ts';

const description = `A WebSocket. The server sends at once how each provider is and which circuits are not closed, and then
each change: \`health_update\` with \`provider\`, \`status\`, \`latency_ms\`; \`circuit_breaker\` with \`provider\`, \`model\`,
\`state\`, \`reason\`; \`rate_limit_warning\` with \`provider\`, \`remaining\`, \`limit\`, \`reset_at\`, when less than a tenth
of a limit is left. The client may send \`{"action":"ping"}\`.`;

/** `WS /ws/providers`: how providers are, as it changes. */
export function addProviderSocket(
  app: FastifyInstance,
  deps: RouteDeps,
  mount: NativeMount,
  sessions: Set<Session>,
): void {
  addWebSocket(app, { mount, sessions }, '/ws/providers', {
    schema: { summary: 'Follow the providers over a WebSocket', description },
    open: (socket, request) => createProviderSession(socket, deps, request),
  });
}
