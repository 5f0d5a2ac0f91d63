import type { Clock } from '../../core/clock.ts';
import { AppError, type ErrorCode } from '../../core/errors.ts';
import { isRedirect, isTooMuch, leadsElsewhere } from '../../wire/unanswered.ts';
import { type JsonObject, objectAt, textAt } from '../messages/json.ts';

/** What the upstream answered in place of an answer. */
export interface WireFailure {
  status: number;
  /** In lower case. */
  headers: Readonly<Record<string, string>>;
  /** The body as it came. */
  text: string;
  /** The same, where it is an object of JSON. */
  body: JsonObject | null;
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: 'upstream_access_denied',
  402: 'upstream_quota_exceeded',
  403: 'upstream_access_denied',
  // Of a path that it has: the model, which our key must not use or which is gone.
  404: 'upstream_access_denied',
  408: 'upstream_timeout',
  409: 'upstream_unavailable',
  425: 'upstream_unavailable',
  429: 'upstream_rate_limited',
  503: 'upstream_overloaded',
  504: 'upstream_timeout',
  508: 'loop_detected',
  529: 'upstream_overloaded',
};

/** The status of an error that came within a stream, or with others, where there is none. */
export const statusOfType: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  conflict_error: 409,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
};

/** The API has no code for a prompt that is too long; coding agents go by these words too. */
const tooLong = /prompt is too long|exceed(s|ed)? (the )?(model'?s )?(maximum )?context (limit|window|length)/i;
/** Limits of money that somebody set: no retry helps, and nobody is ill. */
const spent = /spend_limit|credit balance|specified (API|workspace) usage limits|spend limit/i;

/** A failure as an `AppError` that carries it whole, for clients that speak the same dialect. */
export function failureToError(failure: WireFailure, provider: string, clock: Pick<Clock, 'now'>): AppError {
  const { status, headers, body } = failure;
  const error = body === null ? null : objectAt(body, 'error');
  if (error === null) return notOfTheApi(failure, provider, clock);
  const errorCode = textAt(objectAt(error, 'details') ?? {}, 'error_code');
  const message = textAt(error, 'message') ?? `status ${status}`;
  const wait = retryAfterSeconds(headers, clock);
  const code = codeOf(status, message, errorCode);
  // Whose key it is and what may be spent with it is nothing for a client; nor is its own key meant by a 401.
  const isOurs = code === 'upstream_quota_exceeded' || status === 401 || status === 403;
  return new AppError(code, isOurs ? accountMessage(provider, code) : `${provider}: ${message}`, {
    ...(wait !== null && { retryAfterSeconds: wait }),
    details: {
      provider,
      upstream_status: status,
      upstream_type: textAt(error, 'type'),
      ...(errorCode !== null && { upstream_code: errorCode }),
    },
    upstream: { provider, dialect: 'anthropic', status, headers: keptHeaders(headers), body: isOurs ? null : body },
  });
}

function accountMessage(provider: string, code: ErrorCode): string {
  return code === 'upstream_quota_exceeded'
    ? `${provider} does no more work for this server's account at the moment.`
    : `${provider} does not accept this server's key for that.`;
}

/** An `error` event of a stream. */
export function eventToError(
  event: JsonObject,
  headers: Readonly<Record<string, string>>,
  provider: string,
  clock: Pick<Clock, 'now'>,
): AppError {
  const type = textAt(objectAt(event, 'error') ?? {}, 'type') ?? 'api_error';
  const status = statusOfType[type] ?? 500;
  return failureToError({ status, headers, text: '', body: event }, provider, clock);
}

/** The first characters of a body that is nothing we know, on one line, for a message. */
export function excerptOf(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line === '' ? 'an empty body' : `"${line.slice(0, 200)}"`;
}

function codeOf(status: number, message: string, errorCode: string | null): ErrorCode {
  if (tooLong.test(message) && status < 500) return 'context_length_exceeded';
  if (status < 500 && (spent.test(errorCode ?? '') || spent.test(message))) return 'upstream_quota_exceeded';
  return codes[status] ?? (status >= 500 ? 'upstream_unavailable' : 'upstream_refused');
}

/** A page of a proxy, a redirect, nothing at all: its status says only whether it is worth to come again. */
function notOfTheApi({ status, headers, text }: WireFailure, provider: string, clock: Pick<Clock, 'now'>): AppError {
  const known = codes[status];
  const isOfIt = known === undefined || known === 'upstream_access_denied';
  const code = isTooMuch(status) ? 'upstream_refused' : isOfIt ? 'upstream_unavailable' : known;
  const wait = retryAfterSeconds(headers, clock);
  const message = isRedirect(status)
    ? leadsElsewhere(provider, status)
    : `${provider} did not answer itself: status ${status} with ${excerptOf(text)}.`;
  return new AppError(code, message, {
    ...(wait !== null && { retryAfterSeconds: wait }),
    details: { provider, upstream_status: status },
  });
}

/** What of the headers of an answer means something to a client. */
export function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name]) => /^(request-id|retry-after|retry-after-ms|x-should-retry)$/.test(name) || name.startsWith('anthropic-'),
  );
  return Object.fromEntries(kept);
}

/** Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); null: none is named. */
function retryAfterSeconds(headers: Readonly<Record<string, string>>, clock: Pick<Clock, 'now'>): number | null {
  const milliseconds = Number.parseFloat(headers['retry-after-ms'] ?? '');
  if (milliseconds >= 0) return milliseconds / 1000;
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const seconds = Number.parseFloat(text);
  if (seconds >= 0) return seconds;
  const until = Date.parse(text);
  return Number.isNaN(until) ? null : Math.max(0, (until - clock.now().getTime()) / 1000);
}

/** Whether a failure says that thoughts of an earlier turn are not what they were. */
export function namesThinking(failure: WireFailure): boolean {
  const message = textAt(objectAt(failure.body ?? {}, 'error') ?? {}, 'message') ?? '';
  return failure.status === 400 && /signature|thinking/i.test(message);
}

/** Whether it says that a turn with calls lacks its thought, which nobody can give back. */
export function wantsThinking(failure: WireFailure): boolean {
  const message = textAt(objectAt(failure.body ?? {}, 'error') ?? {}, 'message') ?? '';
  return failure.status === 400 && /expected\b.*\bthinking/i.test(message);
}
