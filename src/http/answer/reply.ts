import type { OutgoingHttpHeaders } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { Logger } from '../../observe/logger.ts';
import { sseComment } from '../../wire/sse.ts';

/** More than this waiting for one client means that it does not read. */
const maxUnsentBytes = 1024 * 1024;
/** So long without a byte going out, while some wait, means the same. */
const maxStallMs = 30_000;
const keepAliveMs = 15_000;
const checkMs = 5_000;
/** From here on the pump lets the event loop turn before it takes the next record. */
const yieldBytes = 64 * 1024;

/**
 * A controller that aborts when the client goes away before its answer is complete. Its signal belongs into the call
 * of the gateway, before the first event and after it.
 *
 * It watches the response: Fastify 5's `request.signal` and the request's 'close' fire as soon as the body has been
 * read (fastify#6725), not when the client leaves.
 */
export function clientGone(reply: FastifyReply): AbortController {
  const gone = new AbortController();
  const abort = () => gone.abort(new AppError('client_closed_request', 'The client closed the connection.'));
  if (reply.raw.destroyed) abort();
  else {
    reply.raw.once('close', () => {
      if (!reply.raw.writableEnded) abort();
    });
  }
  return gone;
}

/**
 * Sends records as an event stream; the status line and the headers set so far go out with the first of them. Fastify has
 * no part in it: `onSend` hooks do not run.
 * `records` must not throw: a dialect words its failures itself. A client that does not read (1 MiB unsent, or 30 s
 * without progress) is cancelled through `gone`. A comment is sent when nothing else was for 15 s.
 */
export function sendSse(
  reply: FastifyReply,
  records: AsyncIterable<string>,
  options: { gone: AbortController; clock: Clock; log: Logger },
): FastifyReply {
  const { gone, clock, log } = options;
  const { raw } = reply;
  let pushedBytes = 0;
  let lastPushMs = clock.monotonicMs();
  let mostSentBytes = 0;
  let lastProgressMs = lastPushMs;

  // Pushed, not pulled: were the provider slowed down by a slow client, its queue would grow out of our sight. And
  // written without a stream between, which would be more work for each record than the record itself.
  const push = (record: string) => {
    raw.write(record);
    pushedBytes += Buffer.byteLength(record);
    lastPushMs = clock.monotonicMs();
  };
  const cancel = (why: string) => {
    log.debug({ requestId: reply.request.id, unsentBytes: raw.writableLength }, `stream cancelled: ${why}`);
    gone.abort(new AppError('client_closed_request', `The client does not read its stream: ${why}.`));
    raw.destroy();
  };
  const timer = clock.every(checkMs, () => {
    const nowMs = clock.monotonicMs();
    const unsent = raw.writableLength;
    const sentBytes = pushedBytes - unsent;
    if (unsent === 0 || sentBytes > mostSentBytes) {
      mostSentBytes = Math.max(mostSentBytes, sentBytes);
      lastProgressMs = nowMs;
    } else if (nowMs - lastProgressMs >= maxStallMs) return cancel('nothing could be sent for 30 s');
    if (nowMs - lastPushMs >= keepAliveMs) push(sseComment('keep-alive'));
  });

  const pump = async () => {
    try {
      for await (const record of records) {
        if (raw.destroyed) break;
        push(record);
        if (raw.writableLength > maxUnsentBytes) {
          cancel('more than 1 MiB is waiting');
          break;
        }
        if (raw.writableLength > yieldBytes) await nextTurn();
      }
      if (!raw.destroyed) raw.end();
    } catch (error) {
      log.error({ requestId: reply.request.id, err: error }, 'a dialect failed in mid-stream');
      raw.destroy();
    } finally {
      timer.cancel();
    }
  };

  reply.hijack();
  raw.writeHead(200, {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    // Proxies (nginx among them) must not hold the events back.
    'x-accel-buffering': 'no',
  });
  void pump();
  return reply;
}
