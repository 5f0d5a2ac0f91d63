import { AppError, type ErrorCode } from '../../core/errors.ts';
import { isRedirect, isTooMuch, leadsElsewhere, systemCodeOf } from '../../wire/unanswered.ts';
import { countAt, isJson, type Json, textAt } from './wire.ts';

/** Who failed, for messages and for what a failure means. */
export interface FailureDeps {
  /** Id of the provider. */
  provider: string;
  /** Whether the configuration names the model; else its name is the client's own. */
  isConfigured: boolean;
}

/** An answer that is none: its head, and as much of its body as was read. */
export interface FailedAnswer {
  status: number;
  /** In lower case. */
  headers: Readonly<Record<string, string>>;
  text: string;
}

/** What an error object says, wherever it stands. */
interface WireFailure {
  message: string;
  type: string | null;
  code: string | null;
  /** As the object itself says it; null: it says none. */
  status: number | null;
  /** The object in the dialect's own envelope, for clients that speak it. */
  body: Json;
}

/** An answer with a status that is no success. */
export function toFailure({ status, headers, text }: FailedAnswer, deps: FailureDeps): AppError {
  const failure = failureIn(parsed(text));
  if (!failure) return unreadable({ status, headers, text }, deps);
  return classified(failure, status, headers, deps);
}

/** A failure in an answer that began as a success: an error object in a stream or in place of the answer; null: it is none. */
export function failureOf(value: unknown, deps: FailureDeps): AppError | null {
  const failure = failureIn(value);
  if (!failure) return null;
  return classified(failure, failure.status ?? statusOfWord(failure), {}, deps);
}

/** An answer with a status of success that is not of the dialect: a page of a proxy, an empty or a broken body. */
export function unreadable({ status, headers, text }: FailedAnswer, { provider }: FailureDeps): AppError {
  const start = printable(text).slice(0, 200);
  const what = start === '' ? 'an empty answer' : `no answer of its API: ${start}`;
  const message = isRedirect(status)
    ? leadsElsewhere(provider, status)
    : `${provider} sent ${what} (status ${status}).`;
  const code = codeOfStatus(status);
  const told = code === 'upstream_refused' && !isTooMuch(status) ? 'upstream_unavailable' : code;
  return new AppError(told, message, {
    ...retryAfter(told, headers),
    details: { provider, upstream_status: status },
    upstream: { provider, dialect: 'openai', status, headers: toldHeaders(headers), body: null },
  });
}

/** A request that had no answer at all. */
export function unreachable(provider: string, cause: unknown): AppError {
  const isTimeout = chainOf(cause).some((error) => /UND_ERR_HEADERS_TIMEOUT/.test(String(error['code'])));
  const code = isTimeout ? 'upstream_timeout' : 'upstream_unavailable';
  const why = systemCodeOf(cause) ?? 'the connection failed';
  const message = isTimeout ? 'did not begin to answer in time.' : `cannot be reached (${why}).`;
  return new AppError(code, `${provider} ${message}`, { details: { provider }, cause });
}

function chainOf(error: unknown): Json[] {
  const chain: Json[] = [];
  for (let at = error; typeof at === 'object' && at !== null && chain.length < 8; at = (at as Json)['cause']) {
    chain.push(at as Json);
  }
  return chain;
}

/** OpenAI has `{error: {…}}`, Gemini the same in a list, DashScope and older vLLM no envelope, some a text for an object. */
function failureIn(value: unknown): WireFailure | null {
  const outer = Array.isArray(value) ? value[0] : value;
  if (!isJson(outer)) return null;
  const inner = outer['error'];
  if (typeof inner === 'string' && inner !== '') return wireFailure({ message: textAt(outer, 'message') ?? inner });
  if (isJson(inner)) return wireFailure(inner);
  const isBare = outer['object'] === 'error' || ('code' in outer && 'message' in outer && !('choices' in outer));
  return isBare ? wireFailure(outer) : null;
}

function wireFailure(object: Json): WireFailure {
  const number = countAt(object, 'code') ?? countAt(object, 'status');
  const word = textAt(object, 'code') ?? textAt(object, 'status');
  const message = textAt(object, 'message') ?? 'It gave no reason.';
  const type = textAt(object, 'type') ?? (word === textAt(object, 'status') ? word : null);
  const { param = null } = object;
  return {
    message,
    type,
    code: word,
    status: number !== null && number >= 400 && number < 600 ? number : null,
    body: { error: { ...object, message, type: object['type'] ?? type, param, code: object['code'] ?? word } },
  };
}

function classified(
  failure: WireFailure,
  status: number,
  headers: Readonly<Record<string, string>>,
  deps: FailureDeps,
): AppError {
  const { provider } = deps;
  const code = codeOf(failure, status, deps);
  // Whose key is wrong, and how it begins, is nothing for a client.
  const isOurs = code === 'upstream_access_denied' || code === 'upstream_quota_exceeded';
  const message = isOurs ? accessMessage(provider, status, code) : `${provider}: ${printable(failure.message)}`;
  return new AppError(code, message, {
    ...(code === 'model_not_found' && { field: 'model' }),
    ...retryAfter(code, headers),
    details: { provider, upstream_status: status },
    upstream: {
      provider,
      dialect: 'openai',
      status,
      headers: toldHeaders(headers),
      body: isOurs ? null : failure.body,
    },
  });
}

function accessMessage(provider: string, status: number, code: ErrorCode): string {
  if (code === 'upstream_quota_exceeded')
    return `${provider} takes no more requests of this account for now: its quota is used up.`;
  if (status === 404) return `${provider} does not have the model that is configured here.`;
  if (isRedirect(status)) return leadsElsewhere(provider, status);
  return `${provider} does not let this server in; its key or its rights are wrong.`;
}

function codeOf(failure: WireFailure, status: number, { isConfigured }: FailureDeps): ErrorCode {
  const { code, type, message } = failure;
  if (isSpent(code, type) || status === 402) return 'upstream_quota_exceeded';
  if (isTooLong(failure) && status < 500) return 'context_length_exceeded';
  const isUnknownModel = code === 'model_not_found' || (status === 404 && /model/i.test(message));
  if (isUnknownModel) return isConfigured ? 'upstream_access_denied' : 'model_not_found';
  // llama.cpp and Gemini word a wrong key as a wrong request.
  if (/API_KEY_INVALID|api key not valid|invalid_api_key/i.test(`${code} ${message}`)) return 'upstream_access_denied';
  return codeOfStatus(status);
}

function isSpent(code: string | null, type: string | null): boolean {
  return /insufficient_quota|insufficient_balance|billing_hard_limit|billing_not_active|Arrearage/i.test(
    `${code} ${type}`,
  );
}

function isTooLong({ code, type, message }: WireFailure): boolean {
  if (/context_length_exceeded|exceed_context_size/.test(`${code} ${type}`)) return true;
  return /maximum context length|context (length|size|window) (of|is|exceed)|exceeds the (available )?context|input token count .* exceeds|longer than the (maximum )?(model|context)/i.test(
    message,
  );
}

/** What a status means, whoever words it. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 402) return 'upstream_quota_exceeded';
  if (status === 401 || status === 403) return 'upstream_access_denied';
  // It leads elsewhere, and the key must not follow.
  if (isRedirect(status)) return 'upstream_access_denied';
  if (status === 408 || status === 504) return 'upstream_timeout';
  if (status === 429) return 'upstream_rate_limited';
  if (status === 508) return 'loop_detected';
  if (status === 503 || status === 529) return 'upstream_overloaded';
  if (status >= 400 && status < 500) return 'upstream_refused';
  return 'upstream_unavailable';
}

/** A status for an error in a stream that has none of its own, by its words. */
function statusOfWord({ code, type, message }: WireFailure): number {
  const words = `${code} ${type} ${message}`;
  if (/rate.?limit|too many requests|RESOURCE_EXHAUSTED|throttl/i.test(words)) return 429;
  if (/overload|unavailable|capacity|busy/i.test(words)) return 503;
  if (/timeout|timed out|DEADLINE_EXCEEDED/i.test(words)) return 504;
  if (/auth|api key|permission/i.test(words)) return 401;
  if (/invalid|bad.?request|unsupported|not support|content_policy|safety/i.test(words)) return 400;
  return 500;
}

/** How long it wants to be left alone, where trying again makes sense. */
function retryAfter(code: ErrorCode, headers: Readonly<Record<string, string>>): { retryAfterSeconds?: number } {
  if (!/^upstream_(rate_limited|overloaded|unavailable)$/.test(code)) return {};
  const ms = Number(headers['retry-after-ms'] ?? Number.NaN);
  const given = headers['retry-after'] ?? '';
  const seconds = Number.isFinite(ms) ? ms / 1_000 : secondsOf(given, headers['date'] ?? '');
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterSeconds: Math.ceil(seconds) } : {};
}

/** Seconds, or a time of the clock that `date` is of; NaN: neither. */
function secondsOf(value: string, date: string): number {
  if (value === '') return Number.NaN;
  const seconds = Number(value);
  return Number.isFinite(seconds) ? seconds : (Date.parse(value) - Date.parse(date)) / 1_000;
}

const told =
  /^(retry-after(-ms)?|x-request-id|x-ratelimit-.+|openai-processing-ms|openai-version|x-should-retry|x-hearth-ignored)$/;

/** Headers that mean something to a client of the dialect. */
export function toldHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => told.test(name)));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A page of a proxy, or a body that was cut.
    return null;
  }
}

/** One line of text without control characters and tags. */
function printable(text: string): string {
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim();
}
