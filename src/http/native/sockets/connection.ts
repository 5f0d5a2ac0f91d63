import type { WebSocket } from '@fastify/websocket';
import type { Principal } from '../../../core/call.ts';
import { AppError } from '../../../core/errors.ts';
import { decodeUtf8, parseJsonObject } from '../../fields/json.ts';
import type { RouteDeps } from '../../mount/deps.ts';
import { logError } from '../../mount/error-handler.ts';
import { normalizeError } from '../../mount/errors.ts';
import { errorObject } from '../mounts/mounts.ts';
import { createMessageBudget } from './message-budget.ts';

const maxMessages = 100;
const messageWindowMs = 10_000;
const maxUnsentBytes = 1024 * 1024;
const pingMs = 30_000;
const maxMissedPongs = 2;
/** How long a peer may take to answer our close before its socket is cut. */
const closeMs = 5_000;
/** How often the key of an open socket is looked at, beside each message. */
const keyMs = 5_000;

/** One open WebSocket, as its route sees it. */
export interface Session {
  /** Takes no new work, waits for what runs, then closes with 1001; resolves when the socket is closed. */
  shutdown(): Promise<void>;
}

/** One WebSocket as JSON messages, with its limits. */
interface Connection {
  /** Nothing is sent to a socket that is not open. */
  send(message: object): void;
  /** Counts and logs an error, and sends it; `id`: what the client calls the work that it ends. */
  refuse(error: AppError, requestId: string, id?: string): void;
  /** Closes the socket; a peer that does not answer is cut. Only the first call counts. */
  end(code: number, reason: string): void;
  /** Resolves when the socket is closed, whoever closed it. */
  closed: Promise<void>;
}

/**
 * The plumbing of a WebSocket: JSON objects in and out, pings, and an end for too many messages, a peer that does not
 * read, one that answers no ping, and a key that was revoked or has expired. Errors in messages are answered and the socket stays.
 * `client`: the request that opened it; its principal is kept as the key is now. `onMessage` may throw; `onEnd` is called once no more messages are taken, possibly twice.
 */
export function createConnection(
  socket: WebSocket,
  deps: Pick<RouteDeps, 'clock' | 'log' | 'metrics' | 'keyring'>,
  client: { id: string; principal: Principal },
  handlers: { onMessage: (sent: Record<string, unknown>) => void; onEnd: () => void },
): Connection {
  const withinBudget = createMessageBudget(deps.clock, maxMessages, messageWindowMs);
  let hasEnded = false;
  let missedPongs = 0;

  const send = (message: object) => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(message));
    deps.metrics.websocketMessages.inc({ direction: 'out' });
    if (socket.bufferedAmount > maxUnsentBytes) end(1013, 'the client does not read');
  };
  const refuse = (error: AppError, requestId: string, id?: string) => {
    deps.metrics.rejected.inc({ reason: error.code });
    logError(deps.log, error, requestId);
    send({ type: 'error', error: errorObject(error, requestId), ...(id !== undefined && { id }) });
  };
  const end = (code: number, reason: string) => {
    if (hasEnded) return;
    hasEnded = true;
    socket.close(code, reason);
    handlers.onEnd();
    // A peer that reads nothing never sees our close.
    const timer = deps.clock.after(closeMs, () => socket.terminate());
    socket.once('close', () => timer.cancel());
  };

  /** Whether whoever opened it may still ask; else it ends. */
  const mayAsk = (): boolean => {
    const principal = deps.keyring.again(client.principal);
    if (principal === null) end(4401, 'the key was revoked or has expired');
    else if (!principal.scopes.includes('inference')) end(4403, 'the key may not ask any more');
    else client.principal = principal;
    return !hasEnded;
  };
  const keyTimer = deps.clock.every(keyMs, mayAsk);
  const pinger = deps.clock.every(pingMs, () => {
    if (missedPongs >= maxMissedPongs) return socket.terminate();
    missedPongs++;
    socket.ping();
  });
  socket.on('pong', () => {
    missedPongs = 0;
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      pinger.cancel();
      keyTimer.cancel();
      handlers.onEnd();
      resolve();
    });
  });
  socket.on('message', (data, isBinary) => {
    deps.metrics.websocketMessages.inc({ direction: 'in' });
    // A flood goes on arriving until the peer has seen our close.
    if (hasEnded) return;
    if (!withinBudget()) return end(1008, 'too many messages');
    if (!mayAsk()) return;
    // ws gives a Buffer unless told otherwise.
    if (Buffer.isBuffer(data)) receive(data, isBinary);
  });

  function receive(data: Buffer, isBinary: boolean): void {
    try {
      if (isBinary) throw new AppError('invalid_request', 'Messages are text, not binary.');
      handlers.onMessage(parseJsonObject(decodeUtf8(data)));
    } catch (error) {
      refuse(normalizeError(error), client.id);
    }
  }

  return { send, refuse, end, closed };
}
