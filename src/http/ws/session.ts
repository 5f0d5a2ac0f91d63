import type { WebSocket } from '@fastify/websocket';
import { AppError, toAppError } from '../../core/errors.ts';
import { coarseReason } from '../../core/events.ts';
import { unknownUsage } from '../../core/usage.ts';
import { inDialect, nativeNames } from '../fields/field-names.ts';
import type { RouteDeps } from '../mount/deps.ts';
import { normalizeError } from '../mount/errors.ts';
import { toUsage } from '../native/generate/from-core.ts';
import { generateToCore } from '../native/generate/to-core.ts';
import { ownerPart } from '../plugins/auth.ts';
import { shuttingDown } from '../plugins/drain.ts';
import { newRequestId } from '../plugins/request-id.ts';
import { createConnection, type Session } from './connection.ts';
import { checkClientMessage, type GenerateMessage, idOf, type ServerMessage } from './protocol.ts';

const maxGenerations = 8;

interface Generation {
  controller: AbortController;
  done: Promise<void>;
}

/**
 * Owns one socket of `/ws/generate`: up to 8 generations side by side, told apart by the client's ids.
 * However it ends, its generations are aborted.
 */
export function createSession(
  socket: WebSocket,
  deps: RouteDeps,
  client: { id: string; owner: string | null },
): Session {
  // The generation without an id has the key null.
  const running = new Map<string | null, Generation>();
  let closing = false;

  const abortAll = () => {
    const reason = new AppError('client_closed_request', 'The WebSocket is closed.');
    for (const generation of running.values()) generation.controller.abort(reason);
  };
  const connection = createConnection(socket, deps, client.id, { onMessage: receive, onEnd: abortAll });
  const { refuse } = connection;
  const send = (message: ServerMessage) => connection.send(message);

  function receive(sent: Record<string, unknown>): void {
    // Known before the rest is checked: the client must learn which of its generations was refused.
    const id = idOf(sent);
    try {
      const message = checkClientMessage(sent);
      if (message.action === 'ping') send({ type: 'pong' });
      else if (message.action === 'cancel') cancel(message.id);
      else begin(message);
    } catch (error) {
      refuse(normalizeError(error), client.id, id);
    }
  }

  function cancel(id: string | undefined): void {
    const generation = running.get(id ?? null);
    if (!generation) throw new AppError('not_found', 'No generation of this id is running.', { field: 'id' });
    generation.controller.abort(new AppError('client_closed_request', 'The client cancelled the request.'));
  }

  function begin(message: GenerateMessage): void {
    const key = message.id ?? null;
    if (closing || deps.lifecycle.draining()) throw shuttingDown();
    if (running.has(key)) {
      throw new AppError('invalid_request', 'A generation of this id is running.', {
        field: 'id',
        fix: 'Choose another id, or wait for its "done".',
      });
    }
    if (running.size >= maxGenerations) {
      throw new AppError('queue_full', `This socket already runs ${maxGenerations} generations.`, {
        retryAfterSeconds: 1,
      });
    }
    const controller = new AbortController();
    const generation: Generation = { controller, done: Promise.resolve() };
    running.set(key, generation);
    generation.done = generate(message, controller.signal, () => {
      if (running.get(key) === generation) running.delete(key);
    });
  }

  /** Never rejects. `release` frees the id; it comes before the last message, so that the client may use it again. */
  async function generate(message: GenerateMessage, signal: AbortSignal, release: () => void): Promise<void> {
    const startMs = deps.clock.monotonicMs();
    const requestId = newRequestId();
    const { action: _action, id, stream: _stream, ...fields } = message;
    const idPart = id === undefined ? {} : { id };
    let index = 0;
    let model = message.model ?? 'default';
    const doneFacts = () => ({
      latency_ms: Math.round(deps.clock.monotonicMs() - startMs),
      model,
      request_id: requestId,
      ...idPart,
    });
    try {
      const answer = await deps.gateway.stream(
        { ...generateToCore(fields), ...ownerPart(client.owner) },
        { signal, requestId },
      );
      model = answer.model;
      for await (const event of answer.events) {
        if (event.type === 'text-delta' && event.text !== '') {
          send({ type: 'token', content: event.text, index: index++, ...idPart });
        } else if (event.type === 'reasoning-delta' && event.text !== '') {
          send({ type: 'reasoning', content: event.text, index: index++, ...idPart });
        } else if (event.type === 'finish') {
          release();
          send({
            type: 'done',
            usage: toUsage(event.usage),
            finish_reason: coarseReason(event.reason),
            ...doneFacts(),
          });
        }
      }
    } catch (error) {
      release();
      // A cancelled generation has ended as it was asked to; a provider may say so by throwing.
      if (signal.aborted) {
        send({ type: 'done', usage: toUsage(unknownUsage), finish_reason: 'cancelled', ...doneFacts() });
      } else refuse(inDialect(toAppError(error), nativeNames), requestId, id);
    } finally {
      release();
    }
  }

  return {
    async shutdown() {
      closing = true;
      await Promise.all([...running.values()].map((generation) => generation.done));
      connection.end(1001, 'the server is shutting down');
      await connection.closed;
    },
  };
}
