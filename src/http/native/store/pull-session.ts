import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { toAppError } from '../../../core/errors.ts';
import type { PullInfo } from '../../../core/pull.ts';
import { validationError } from '../../fields/validation.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { normalizeError } from '../../mount/errors.ts';
import { createConnection, type Session } from '../sockets/sockets.ts';
import { eventOf, toNativePull } from './from-core.ts';

const clientMessage = z.discriminatedUnion(
  'action',
  [
    z.strictObject({ action: z.literal('cancel'), discard: z.boolean().optional() }),
    z.strictObject({ action: z.literal('ping') }),
  ],
  { error: 'action must be one of cancel, ping' },
);

/** A pull as a message: the record of the event stream, with the name of its event as `type`; `failed` is an error. */
function toMessage(pull: PullInfo) {
  const event = eventOf(pull);
  return { type: event === 'failed' ? 'error' : event, ...toNativePull(pull) };
}

/**
 * Owns one socket of `/ws/pull/{id}`: says how the pull stands, then each change, and closes after its end. Closing the
 * socket ends the watching and not the pull.
 */
export function createPullSession(
  socket: WebSocket,
  deps: RouteDeps,
  client: Pick<FastifyRequest, 'id' | 'principal'>,
  pullId: string,
): Session {
  const gone = new AbortController();
  const connection = createConnection(socket, deps, client, { onMessage: receive, onEnd: () => gone.abort() });

  function receive(sent: Record<string, unknown>): void {
    const result = clientMessage.safeParse(sent);
    if (!result.success) throw validationError(result.error.issues);
    if (result.data.action === 'ping') connection.send({ type: 'pong' });
    else cancel(result.data.discard ?? false);
  }

  /** Says nothing when it works: the end of the pull is told like any other change. */
  function cancel(discard: boolean): void {
    const refuse = (error: unknown) => connection.refuse(toAppError(error), client.id);
    deps.store.cancelPull(pullId, { discard }).catch(refuse);
  }

  /** Never rejects. */
  async function watch(): Promise<void> {
    try {
      for await (const pull of deps.store.watchPull(pullId, gone.signal)) connection.send(toMessage(pull));
      connection.end(1000, 'the pull has ended');
    } catch (error) {
      const problem = normalizeError(error);
      if (gone.signal.aborted) return;
      connection.refuse(problem, client.id);
      connection.end(problem.code === 'not_found' ? 1008 : 1011, problem.code);
    }
  }

  watch();
  return {
    async shutdown() {
      connection.end(1001, 'the server is shutting down');
      await connection.closed;
    },
  };
}
