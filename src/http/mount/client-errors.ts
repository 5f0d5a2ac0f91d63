import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../../core/errors.ts';
import type { SlowBodies } from '../plugins/slow-body.ts';
import type { HttpDeps } from './deps.ts';
import type { ErrorBody } from './error-handler.ts';
import { newRequestId } from './request-id.ts';
import { type ByPrefix, valueFor } from './unknown-url.ts';

const tookLong = 'ERR_HTTP_REQUEST_TIMEOUT';
/** How long a refused client may take to read its answer before the socket is cut. */
const lingerMs = 1_000;

/**
 * Answers what Node's HTTP parser refuses, before there is a request: 408 for headers or bodies that do not arrive in
 * time, 431 for too many headers, 400 for the rest; in the dialect of the URL if that was readable, else the root's.
 * `openResponsesOf`: the responses of a socket that have not ended. Nothing may be written into the middle of one, or
 * be taken for one that an earlier, complete request still waits for. `slow`: requests that may take long.
 */
export function clientErrorHandler(
  deps: Pick<HttpDeps, 'clock' | 'metrics'>,
  errorBodies: ByPrefix<ErrorBody>,
  openResponsesOf: (socket: Socket) => ReadonlySet<ServerResponse>,
  slow: SlowBodies,
) {
  return (error: NodeJS.ErrnoException & { rawPacket?: unknown }, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) return;
    const responses = [...openResponsesOf(socket)];
    // Node tells once that a request takes long, and leaves the connection to us.
    if (error.code === tookLong && responses.some(({ req }) => slow.has(req))) return;
    const refusal = refusalOf(error.code);
    deps.metrics.rejected.inc({ reason: refusal.code });
    const isOwed = (response: ServerResponse) => response.headersSent || response.req.complete;
    if (responses.some(isOwed)) return void socket.destroy();
    const requestId = newRequestId();
    const errorBody = valueFor(errorBodies, responses[0]?.req.url ?? urlIn(error.rawPacket));
    const body = JSON.stringify(errorBody(refusal, { requestId, now: deps.clock.now() }));
    socket.end(
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
        'Content-Type: application/json; charset=utf-8\r\n' +
        `Content-Length: ${Buffer.byteLength(body)}\r\n` +
        `X-Request-ID: ${requestId}\r\n` +
        `Request-ID: ${requestId}\r\n` +
        `Connection: close\r\n\r\n${body}`,
    );
    // Cut at once, the answer could be lost to the reset that unread bytes cause; never cut, a client that does not
    // close its side would keep the socket.
    const timer = deps.clock.after(lingerMs, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  };
}

/** The URL of a request line that Node has not understood; empty if there is none. */
function urlIn(packet: unknown): string {
  if (!Buffer.isBuffer(packet)) return '';
  return /^[!-~]{1,32} (\/[!-~]*) HTTP\//.exec(packet.toString('latin1', 0, 512))?.[1] ?? '';
}

function refusalOf(code: string | undefined): AppError {
  if (code === tookLong) return new AppError('request_timeout', 'The request did not arrive in time.');
  if (code === 'HPE_HEADER_OVERFLOW') return new AppError('headers_too_large', 'The headers are too large.');
  return new AppError('invalid_request', 'This is not a valid HTTP request.');
}
