import type { AppError } from '../../../core/errors.ts';
import type { ErrorBody } from '../../mount/error-handler.ts';

/** The object that Anthropic's clients read, in bodies and in streams. */
interface AnthropicErrorObject {
  type: string;
  message: string;
  details: Record<string, unknown>;
}

const types: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** The status that Anthropic has for an error: what passes by itself is an overload there. */
export function statusOf({ status }: AppError): number {
  return status === 503 ? 529 : status;
}

/** The error as Anthropic words it. `fix` is part of the message: the shape has no other place for it. */
export function errorObject(error: AppError): AnthropicErrorObject {
  const status = statusOf(error);
  return {
    type: types[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error'),
    message: messageOf(error),
    details: { error_code: error.code, ...(error.field !== null && { field: error.field }), ...error.details },
  };
}

/** The body of an error answer, and the last record of a stream that failed. */
export function errorEnvelope(error: AppError, requestId: string) {
  return { type: 'error' as const, error: errorObject(error), request_id: requestId };
}

export const errorBody: ErrorBody = (error, { requestId }) => errorEnvelope(error, requestId);

/** Anthropic's shape for clients that say its version, another for all others. */
export function errorBodyByVersion(others: ErrorBody): ErrorBody {
  return (error, context) =>
    (context.headers?.['anthropic-version'] === undefined ? others : errorBody)(error, context);
}

/** Coding agents know a conversation that has grown too long by these words, and make it shorter then. */
function messageOf({ code, message, fix, details }: AppError): string {
  const given = fix === null ? message : `${message} ${fix}`;
  if (code !== 'context_length_exceeded') return given;
  const { prompt_tokens: prompt, context_tokens: context } = details ?? {};
  return typeof prompt === 'number' && typeof context === 'number'
    ? `prompt is too long: ${prompt} tokens > ${context} maximum. ${fix ?? ''}`.trim()
    : given;
}
