import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AppError, UpstreamFailure } from '../../core/errors.ts';
import type { HttpDeps } from './deps.ts';
import { normalizeError } from './errors.ts';

/** A client that sends so much at once has no honest reason. */
const maxDroppedBytes = 64 * 1024 * 1024;

/** How a dialect words an error; its `errors.ts` has the only place that does. */
export type ErrorBody = (
  error: AppError,
  /** `headers`: of the request, where there is one. */
  context: { requestId: string; now: Date; headers?: FastifyRequest['headers'] },
) => object;

export type ErrorHandler = (thrown: unknown, request: FastifyRequest, reply: FastifyReply) => void;

/**
 * The error handler of a dialect's scope. Fastify renders errors of root hooks and of body validation through the
 * handler of the matched route's scope, so every route answers in its own dialect. `statusOf`: for a dialect that has
 * other statuses than the catalogue.
 */
export function createErrorHandler(
  errorBody: ErrorBody,
  deps: Pick<HttpDeps, 'clock' | 'log' | 'metrics'>,
  statusOf: (error: AppError) => number = ({ status }) => status,
): ErrorHandler {
  return (thrown, request, reply) => {
    const error = normalizeError(thrown);
    request.inner?.failed(error);
    // What goes on with others, elsewhere, was not refused.
    const isWorded = request.inner?.batched?.step === 'word' && error.code === 'client_closed_request';
    if (!isWorded) deps.metrics.rejected.inc({ reason: error.code });
    logError(deps.log, error, request.id, request.address);
    const passed = passedOn(error, request);
    const status = passed?.status ?? statusOf(error);
    reply.code(status);
    if (passed) reply.headers(passed.headers);
    if (error.retryAfterSeconds !== null) reply.header('retry-after', String(Math.ceil(error.retryAfterSeconds)));
    if (isRetriedBySdks(status) && !error.retryable) reply.header('x-should-retry', 'false');
    if (error.code === 'payload_too_large' && willReadRest(request)) reply.removeHeader('connection');
    reply.type('application/json; charset=utf-8');
    if (passed) return void reply.send(passed.body);
    reply.send(errorBody(error, { requestId: request.id, now: deps.clock.now(), headers: request.headers }));
  };
}

/** What the SDKs of OpenAI and Anthropic ask for again unless they are told otherwise. */
function isRetriedBySdks(status: number): boolean {
  return status >= 500 || status === 429 || status === 409 || status === 408;
}

/** The failure of a provider in the words of the provider, for a client of the same dialect; null: it is worded here. */
export function passedOn({ upstream }: AppError, { original }: FastifyRequest): UpstreamFailure | null {
  return upstream !== null && upstream.body !== null && upstream.dialect === original?.dialect ? upstream : null;
}

/**
 * Whether Node may read the rest of a refused body and drop it. Fastify would close at once; Go's client and Node's
 * fetch then fail on the write and never see the 413. A body of unknown length, or a very long one, is cut off.
 */
function willReadRest(request: FastifyRequest): boolean {
  return Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) <= maxDroppedBytes;
}

/** Logs a fault of the server with its cause, a wish that this machine cannot meet in one line, a mistake of the client only for those who debug. */
export function logError(
  log: HttpDeps['log'],
  error: AppError,
  requestId: string,
  address: string | null = null,
): void {
  const facts = { requestId, code: error.code, field: error.field ?? undefined, address: address ?? undefined };
  if (error.status < 500) log.debug(facts, error.message);
  else if (error.code === 'internal_error') log.error({ ...facts, err: error.cause ?? error }, error.message);
  else log.warn({ ...facts, err: error.cause }, error.message);
}
