import type { AppError, ErrorCode } from '../../../core/errors.ts';

/** The object that OpenAI's clients read, in bodies and in streams: always all four keys. */
interface OpenAiErrorObject {
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** Codes that OpenAI has its own word for. */
const codes: Partial<Record<ErrorCode, string>> = {
  unauthorized: 'invalid_api_key',
  queue_full: 'rate_limit_exceeded',
  rate_limited: 'rate_limit_exceeded',
};

/** The error as OpenAI words it. `fix` is part of the message: the shape has no other place for it. */
export function errorObject(error: AppError): OpenAiErrorObject {
  return {
    message: error.fix === null ? error.message : `${error.message} ${error.fix}`,
    type: typeOf(error.status),
    param: error.field,
    code: codes[error.code] ?? error.code,
  };
}

/** The body of an error answer; `detail` is what clients of the first seed specification read. */
export function errorBody(error: AppError): { error: OpenAiErrorObject; detail: string } {
  const object = errorObject(error);
  return { error: object, detail: object.message };
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
