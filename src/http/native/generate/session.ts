import type { WebSocket } from '@fastify/websocket';
import type { FastifyRequest } from 'fastify';
import type { RoutingWish } from '../../../core/call.ts';
import { AppError, toAppError } from '../../../core/errors.ts';
import type { FinishReason, StreamEvent } from '../../../core/events.ts';
import { type Usage, unknownUsage } from '../../../core/usage.ts';
import { askerOf, type Begun, beginAnswer, toCost } from '../../answer/answer.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { normalizeError } from '../../mount/errors.ts';
import { newRequestId } from '../../mount/request-id.ts';
import { shuttingDown } from '../../plugins/drain.ts';
import { cloudOf, cloudOfBoth } from '../../plugins/routing.ts';
import { createConnection, type Session } from '../sockets/sockets.ts';
import { generateNames } from './field-names.ts';
import { factsOf } from './form.ts';
import {
  checkClientMessage,
  createTokenWriter,
  doneMessage,
  type GenerateMessage,
  idOf,
  type ServerMessage,
} from './messages.ts';
import { generateToCore } from './to-core.ts';

const maxGenerations = 8;

interface Generation {
  controller: AbortController;
  done: Promise<void>;
}

/**
 * Owns one socket of `/ws/generate`: up to 8 generations side by side, told apart by the client's ids.
 * However it ends, its generations are aborted.
 */
export function createGenerateSession(
  socket: WebSocket,
  deps: RouteDeps,
  client: Pick<FastifyRequest, 'id' | 'principal' | 'headers' | 'wish'>,
): Session {
  // The generation without an id has the key null.
  const running = new Map<string | null, Generation>();
  let closing = false;

  const abortAll = () => {
    const reason = new AppError('client_closed_request', 'The WebSocket is closed.');
    for (const generation of running.values()) generation.controller.abort(reason);
  };
  const connection = createConnection(socket, deps, client, { onMessage: receive, onEnd: abortAll });
  const { refuse } = connection;
  const send = (message: ServerMessage) => connection.send(message);

  function receive(sent: Record<string, unknown>): void {
    // Known before the rest is checked: the client must learn which of its generations was refused.
    const id = idOf(sent);
    try {
      const { cloud: wished, ...rest } = sent;
      const message = checkClientMessage(sent['action'] === 'generate' ? rest : sent);
      if (message.action === 'ping') send({ type: 'pong' });
      else if (message.action === 'cancel') cancel(message.id);
      else begin(message, wishWith(cloudOf(wished, 'cloud')));
    } catch (error) {
      refuse(normalizeError(error), client.id, id);
    }
  }

  /** Where a generation may go: as the upgrade says, and as its own message does. */
  function wishWith(cloud: RoutingWish['cloud']): FastifyRequest['wish'] {
    const { routing } = client.wish;
    return { ...client.wish, routing: { ...routing, cloud: cloudOfBoth(routing.cloud, cloud) } };
  }

  function cancel(id: string | undefined): void {
    const generation = running.get(id ?? null);
    if (!generation) throw new AppError('not_found', 'No generation of this id is running.', { field: 'id' });
    generation.controller.abort(new AppError('client_closed_request', 'The client cancelled the request.'));
  }

  function begin(message: GenerateMessage, wish: FastifyRequest['wish']): void {
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
    generation.done = generate({ message, wish, signal: controller.signal }, () => {
      if (running.get(key) === generation) running.delete(key);
    });
  }

  /** Never rejects. `release` frees the id; it comes before the last message, so that the client may use it again. */
  async function generate(
    { message, wish, signal }: { message: GenerateMessage; wish: FastifyRequest['wish']; signal: AbortSignal },
    release: () => void,
  ): Promise<void> {
    const startMs = deps.clock.monotonicMs();
    const requestId = newRequestId();
    const { action: _action, id, stream: _stream, ...fields } = message;
    const asker = { ...askerOf({ ...client, wish }, signal), requestId, names: generateNames };
    let model = message.model ?? 'default';
    const toDone = (usage: Usage, reason: FinishReason, cost?: number | null): ServerMessage => {
      const latencyMs = deps.clock.monotonicMs() - startMs;
      return doneMessage({ usage, reason, latencyMs, model, requestId, ...(cost !== undefined && { cost }) }, id);
    };
    try {
      const begun = await beginAnswer(deps, asker, generateToCore(fields));
      model = begun.model;
      await tell(begun, createTokenWriter(id), (finish) => {
        release();
        send(toDone(finish.usage, finish.reason, toCost(factsOf(begun))));
      });
    } catch (error) {
      release();
      // A cancelled generation has ended as it was asked to; a provider may say so by throwing.
      if (signal.aborted) send(toDone(unknownUsage, 'cancelled'));
      else refuse(toAppError(error), requestId, id);
    } finally {
      release();
    }
  }

  async function tell(
    { events, fail }: Begun,
    toMessage: (event: StreamEvent) => ServerMessage | null,
    onFinish: (finish: Extract<StreamEvent, { type: 'finish' }>) => void,
  ): Promise<void> {
    try {
      for await (const event of events) {
        const message = toMessage(event);
        if (message) send(message);
        if (event.type === 'finish') onFinish(event);
      }
    } catch (error) {
      throw fail(error);
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
