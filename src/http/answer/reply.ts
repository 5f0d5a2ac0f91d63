import type { OutgoingHttpHeaders } from 'node:http';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { isFlow } from '../../core/flow.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Framing } from './framing.ts';

/** More than this waiting for one client means that it does not read. */
const maxUnsentBytes = 1024 * 1024;
/** So long without a byte going out, while some wait, means the same. */
const maxStallMs = 30_000;
const pingMs = 15_000;
const checkMs = 5_000;
/** Between records that are written apart: as long as a reader on a busy machine takes to read one. */
const apartMs = 10;
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

interface SendOptions<Item> {
  framing: Framing<Item, string | Uint8Array>;
  /** Aborted when the client does not read. */
  gone: AbortController;
  clock: Clock;
  log: Logger;
  /** Makes the last records of a failure; left out: the connection is cut, so that no end looks like a whole answer. */
  onFailure?: (thrown: unknown) => readonly Item[];
}

/**
 * Sends records as a stream; the status line and the headers set so far go out with the first of them. Fastify has no part
 * in it: `onSend` hooks do not run.
 * A client that does not read (1 MiB unsent, or 30 s without progress) is cancelled through `gone`. The ping of the framing
 * is sent when nothing else was for 15 s.
 */
export function sendStream<Item>(
  reply: FastifyReply,
  records: AsyncIterable<Item>,
  options: SendOptions<Item>,
): FastifyReply {
  const { framing, gone, clock, log } = options;
  const { raw } = reply;
  reply.tellLimits?.();
  const { recorder } = reply.request;
  const headers = {
    ...(reply.getHeaders() as OutgoingHttpHeaders),
    'content-type': framing.contentType,
    'cache-control': 'no-cache',
    // Proxies (nginx among them) must not hold the events back.
    'x-accel-buffering': 'no',
  };
  // First of all: what throws here is still answered as any failure.
  raw.writeHead(200, headers);
  recorder?.head(200, headers);
  reply.hijack();
  let pushedBytes = 0;
  let lastPushMs = clock.monotonicMs();
  let mostSentBytes = 0;
  let lastProgressMs = lastPushMs;

  // Pushed, not pulled: were the provider slowed down by a slow client, its queue would grow out of our sight. And
  // written without a stream between, which would be more work for each record than the record itself.
  const push = (text: string | Uint8Array) => {
    raw.write(text);
    recorder?.piece(text);
    pushedBytes += Buffer.byteLength(text);
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
    if (framing.ping !== null && nowMs - lastPushMs >= pingMs) push(framing.ping);
  });

  // Of the socket's time and not of the server's: a clock that stands still must not hold up an answer.
  let lastRecordMs = Number.NEGATIVE_INFINITY;
  const untilApart = async () => {
    const leftMs = lastRecordMs + apartMs - performance.now();
    if (leftMs > 0) await pause(leftMs);
  };
  /** Whether more may come: not for who is gone, nor for who does not read. */
  const pushNext = (record: Item): boolean => {
    if (raw.destroyed) return false;
    push(framing.frame(record));
    if (raw.writableLength > maxUnsentBytes) cancel('more than 1 MiB is waiting');
    return !raw.destroyed;
  };
  const pushAll = async () => {
    // Pieces of a socket come in turns of their own, and whoever sends them hears of the end by the signal.
    if (isFlow(records) && !framing.isApart) return records.each(pushNext);
    for await (const record of records) {
      if (framing.isApart) await untilApart();
      if (!pushNext(record)) return;
      lastRecordMs = performance.now();
      if (raw.writableLength > yieldBytes) await nextTurn();
    }
  };
  const pushFailure = (thrown: unknown) => {
    recorder?.drop();
    if (!options.onFailure) throw thrown;
    for (const last of options.onFailure(thrown)) if (!raw.destroyed) push(framing.frame(last));
  };
  const pump = async () => {
    try {
      await pushAll().catch(pushFailure);
      if (raw.destroyed) return;
      raw.end();
      recorder?.whole();
    } catch (error) {
      log.error({ requestId: reply.request.id, err: error }, 'a stream broke off');
      raw.destroy();
    } finally {
      timer.cancel();
    }
  };

  void pump();
  return reply;
}
