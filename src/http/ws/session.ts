import type { WebSocket } from '@fastify/websocket';
import { AppError, toAppError } from '../../core/errors.ts';
import { unknownUsage } from '../../core/usage.ts';
import type { RouteDeps } from '../deps.ts';
import { logError } from '../error-handler.ts';
import { normalizeError } from '../errors.ts';
import { inDialect, nativeNames } from '../field-names.ts';
import { decodeUtf8, parseJsonObject } from '../json.ts';
import { toUsage } from '../native/from-core.ts';
import { generateToCore } from '../native/to-core.ts';
import { ownerPart } from '../plugins/auth.ts';
import { shuttingDown } from '../plugins/drain.ts';
import { newRequestId } from '../plugins/request-id.ts';
import { createMessageBudget } from './message-budget.ts';
import { checkClientMessage, errorMessage, type GenerateMessage, idOf, type ServerMessage } from './protocol.ts';

const maxGenerations = 8;
const maxMessages = 100;
const messageWindowMs = 10_000;
const maxUnsentBytes = 1024 * 1024;
const pingMs = 30_000;
const maxMissedPongs = 2;
/** How long a peer may take to answer our close before its socket is cut. */
const closeMs = 5_000;

/** One open WebSocket. */
export interface Session {
  /** Takes no new work, waits for what runs, then closes with 1001; resolves when the socket is closed. */
  shutdown(): Promise<void>;
}

interface Generation {
  controller: AbortController;
  done: Promise<void>;
}

/**
 * Owns one socket of `/ws/generate`: up to 8 generations side by side, told apart by the client's ids.
 * Errors in messages are answered and the socket stays; too many messages, a peer that does not read and one that
 * answers no ping end it. However it ends, its generations are aborted.
 */
export function createSession(
  socket: WebSocket,
  deps: RouteDeps,
  connection: { id: string; owner: string | null },
): Session {
  const connectionId = connection.id;
  // The generation without an id has the key null.
  const running = new Map<string | null, Generation>();
  const withinBudget = createMessageBudget(deps.clock, maxMessages, messageWindowMs);
  let closing = false;
  let hasEnded = false;
  let missedPongs = 0;

  const send = (message: ServerMessage) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message));
    deps.metrics.websocketMessages.inc({ direction: 'out' });
    if (socket.bufferedAmount > maxUnsentBytes) end(1013, 'the client does not read');
  };
  const refuse = (error: AppError, requestId: string, id: string | undefined) => {
    deps.metrics.rejected.inc({ reason: error.code });
    logError(deps.log, error, requestId);
    send(errorMessage(error, requestId, id));
  };
  const abortAll = () => {
    const reason = new AppError('client_closed_request', 'The WebSocket is closed.');
    for (const generation of running.values()) generation.controller.abort(reason);
  };
  const end = (code: number, reason: string) => {
    if (hasEnded) return;
    hasEnded = true;
    socket.close(code, reason);
    abortAll();
    // A peer that reads nothing never sees our close.
    const timer = deps.clock.after(closeMs, () => socket.terminate());
    socket.once('close', () => timer.cancel());
  };

  const pinger = deps.clock.every(pingMs, () => {
    if (missedPongs >= maxMissedPongs) return socket.terminate();
    missedPongs++;
    socket.ping();
  });
  socket.on('pong', () => {
    missedPongs = 0;
  });
  socket.on('close', () => {
    pinger.cancel();
    abortAll();
  });
  socket.on('message', (data, isBinary) => {
    deps.metrics.websocketMessages.inc({ direction: 'in' });
    // A flood goes on arriving until the peer has seen our close.
    if (hasEnded) return;
    if (!withinBudget()) return end(1008, 'too many messages');
    // ws gives a Buffer unless told otherwise.
    if (Buffer.isBuffer(data)) receive(data, isBinary);
  });

  function receive(data: Buffer, isBinary: boolean): void {
    let id: string | undefined;
    try {
      if (isBinary) throw new AppError('invalid_request', 'Messages are text, not binary.');
      const sent = parseJsonObject(decodeUtf8(data));
      // Known before the rest is checked: the client must learn which of its generations was refused.
      id = idOf(sent);
      const message = checkClientMessage(sent);
      if (message.action === 'ping') send({ type: 'pong' });
      else if (message.action === 'cancel') cancel(message.id);
      else begin(message);
    } catch (error) {
      refuse(normalizeError(error), connectionId, id);
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
        { ...generateToCore(fields), ...ownerPart(connection.owner) },
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
          send({ type: 'done', usage: toUsage(event.usage), finish_reason: event.reason, ...doneFacts() });
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
      if (socket.readyState === socket.CLOSED) return;
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      end(1001, 'the server is shutting down');
      await closed;
    },
  };
}
