import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { AppError } from '../core/errors.ts';
import type { HttpDeps } from './deps.ts';
import { rootErrorBody } from './native/errors.ts';
import { newRequestId } from './plugins/request-id.ts';

/**
 * Answers what Node's HTTP parser refuses, before there is a request: 408 for headers or bodies that do not arrive in
 * time, 431 for too many headers, 400 for the rest. The dialect cannot be known yet; the body has the native shape.
 * `isAnswering`: whether a response is under way on the socket; nothing may be written into its middle.
 */
export function clientErrorHandler(
  deps: Pick<HttpDeps, 'clock' | 'metrics'>,
  isAnswering: (socket: Socket) => boolean,
) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) return;
    const refusal = refusalOf(error.code);
    deps.metrics.rejected.inc({ reason: refusal.code });
    if (isAnswering(socket)) return void socket.destroy();
    const requestId = newRequestId();
    const body = JSON.stringify(rootErrorBody(refusal, { requestId, now: deps.clock.now() }));
    socket.end(
      `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\n` +
        'Content-Type: application/json; charset=utf-8\r\n' +
        `Content-Length: ${Buffer.byteLength(body)}\r\n` +
        `X-Request-ID: ${requestId}\r\n` +
        `Connection: close\r\n\r\n${body}`,
    );
  };
}

function refusalOf(code: string | undefined): AppError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new AppError('request_timeout', 'The request did not arrive in time.');
  if (code === 'HPE_HEADER_OVERFLOW') return new AppError('headers_too_large', 'The headers are too large.');
  return new AppError('invalid_request', 'This is not a valid HTTP request.');
}
