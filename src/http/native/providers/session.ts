import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { ProviderHealth } from '../../../gateway/gateway.ts';
import type { AppEvent } from '../../../observe/bus.ts';
import { validationError } from '../../fields/validation.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { createConnection, type Session } from '../sockets/sockets.ts';

/** How often a provider that nobody asks is looked at, while somebody watches. */
const lookMs = 300_000;

const clientMessage = z.strictObject({ action: z.literal('ping', { error: 'action must be ping' }) });

const reasons = {
  open: 'Too many of its calls failed or were slow',
  half_open: 'One call tries whether it answers again',
  closed: 'It answers again',
} as const;

/** Owns one socket of `/ws/providers`: says how everything is, then each change. */
export function createProviderSession(
  socket: WebSocket,
  deps: RouteDeps,
  client: Pick<FastifyRequest, 'id' | 'principal'>,
): Session {
  const connection = createConnection(socket, deps, client, { onMessage: receive, onEnd: stop });
  const send = (message: object) => connection.send({ ...message, timestamp: deps.clock.now().toISOString() });
  const unsubscribe = deps.bus.subscribe((event) => {
    const message = messageOf(event);
    if (message !== null) send(message);
  });
  const look = () => void deps.health.look();
  const timer = deps.clock.every(lookMs, look);

  function receive(sent: Record<string, unknown>): void {
    const result = clientMessage.safeParse(sent);
    if (!result.success) throw validationError(result.error.issues);
    connection.send({ type: 'pong' });
  }

  function stop(): void {
    unsubscribe();
    timer.cancel();
  }

  for (const health of deps.health.status()) send(healthMessage(health));
  for (const { provider, model, state } of deps.breakers.status()) {
    if (state !== 'closed') send(circuitMessage({ provider, model, state }));
  }
  look();
  return {
    async shutdown() {
      connection.end(1001, 'the server is shutting down');
      await connection.closed;
    },
  };
}

/** What watchers are told of an event; null: nothing. */
function messageOf(event: AppEvent): object | null {
  switch (event.type) {
    case 'provider-health-changed':
      return healthMessage(event);
    case 'circuit-changed':
      return circuitMessage(event);
    case 'provider-limit-low': {
      const { provider, remaining, limit, resetAt } = event;
      return { type: 'rate_limit_warning', provider, remaining, limit, reset_at: resetAt.toISOString() };
    }
    default:
      return null;
  }
}

function healthMessage({ provider, status, latencyMs }: Pick<ProviderHealth, 'provider' | 'status' | 'latencyMs'>) {
  return { type: 'health_update', provider, status, latency_ms: latencyMs };
}

function circuitMessage({ provider, model, state }: { provider: string; model: string; state: keyof typeof reasons }) {
  return { type: 'circuit_breaker', provider, model, state, reason: reasons[state] };
}
