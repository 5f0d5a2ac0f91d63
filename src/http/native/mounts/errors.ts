import type { AppError } from '../../../core/errors.ts';
import type { ErrorBody } from '../../mount/error-handler.ts';

/** The object in `{"error":{…}}` at the root mount and in WebSocket messages. */
export function errorObject(error: AppError, requestId: string) {
  return {
    code: error.code.toUpperCase(),
    message: error.message,
    details: {
      ...error.details,
      ...(error.field !== null && { field: error.field }),
      ...(error.fix !== null && { fix: error.fix }),
      ...(error.retryAfterSeconds !== null && { retry_after: error.retryAfterSeconds }),
      request_id: requestId,
    },
  };
}

/** Errors of the root mount, as the third seed specification has them. */
export const rootErrorBody = ((error, { requestId }) => ({
  error: errorObject(error, requestId),
})) satisfies ErrorBody;

/** The second specification's types, by the status that its table has them for, and ours for those that it does not print. */
const types: Readonly<Record<number, string>> = {
  401: 'AuthenticationError',
  402: 'BudgetExceeded',
  403: 'PermissionDenied',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  429: 'RateLimitExceeded',
  500: 'InternalError',
  501: 'NotSupported',
  502: 'ProviderError',
};

/** Errors of the mount at `/api/v1`, as the second seed specification has them. */
export const apiErrorBody = ((error, { requestId, now }) => ({
  error: types[error.status] ?? (error.status >= 500 ? 'ServiceUnavailable' : 'ValidationError'),
  detail: error.fix === null ? error.message : `${error.message} ${error.fix}`,
  status_code: error.status,
  request_id: requestId,
  timestamp: now.toISOString(),
  code: error.code,
  ...(error.field !== null && { field: error.field }),
  ...(error.retryAfterSeconds !== null && { retry_after: Math.ceil(error.retryAfterSeconds) }),
  ...(typeof error.details?.['provider'] === 'string' && { provider: error.details['provider'] }),
  ...(isObject(error.details?.['remaining']) && { remaining: error.details['remaining'] }),
  ...(error.code === 'all_providers_failed' && triedOf(error.details ?? {})),
  ...(error.details !== null && { details: error.details }),
})) satisfies ErrorBody;

/** Of a chain that failed: who was asked, and what each said last. `details` has every try. */
function triedOf({ providers_tried: tried, errors }: Readonly<Record<string, unknown>>) {
  const said = (Array.isArray(errors) ? errors : []).map(({ provider, message }) => [provider, message] as const);
  return { providers_tried: tried as string[], errors: Object.fromEntries(said) as Record<string, string> };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
