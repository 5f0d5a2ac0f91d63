import type { AppError, ErrorCode } from '../../../core/errors.ts';
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

const types: Partial<Record<ErrorCode, string>> = {
  unauthorized: 'AuthenticationError',
  forbidden: 'PermissionDenied',
  not_found: 'NotFound',
  model_not_found: 'NotFound',
  method_not_allowed: 'MethodNotAllowed',
  request_timeout: 'RequestTimeout',
  model_busy: 'Conflict',
  queue_full: 'RateLimitExceeded',
  rate_limited: 'RateLimitExceeded',
  provider_limit_reached: 'RateLimitExceeded',
  internal_error: 'InternalError',
  template_failed: 'InternalError',
  not_supported: 'NotSupported',
};

/** Errors of the mount at `/api/v1`, as the second seed specification has them. */
export const apiErrorBody = ((error, { requestId, now }) => ({
  error: types[error.code] ?? (error.status >= 500 ? 'ServiceUnavailable' : 'ValidationError'),
  detail: error.fix === null ? error.message : `${error.message} ${error.fix}`,
  status_code: error.status,
  request_id: requestId,
  timestamp: now.toISOString(),
  code: error.code,
  ...(error.field !== null && { field: error.field }),
  ...(error.retryAfterSeconds !== null && { retry_after: Math.ceil(error.retryAfterSeconds) }),
  ...(typeof error.details?.['provider'] === 'string' && { provider: error.details['provider'] }),
  ...(isObject(error.details?.['remaining']) && { remaining: error.details['remaining'] }),
  ...(error.details !== null && { details: error.details }),
})) satisfies ErrorBody;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
