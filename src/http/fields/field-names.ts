import { AppError } from '../../core/errors.ts';

/** What a dialect calls the fields that a provider, who knows no dialect, may have to complain of. */
export interface FieldNames {
  /** Where the prompt stands. */
  prompt: string;
  /** Where the form of the answer is asked for; providers say `response_format`. */
  format: string;
}

export const chatNames: FieldNames = { prompt: 'messages', format: 'response_format' };
export const completionNames: FieldNames = { prompt: 'prompt', format: 'response_format' };
export const nativeNames: FieldNames = { prompt: 'prompt', format: 'format' };

/** The error of a provider with its field named as the client wrote it; one that names none of these comes back as it is. */
export function inDialect(error: AppError, names: FieldNames): AppError {
  const field = fieldIn(error, names);
  if (field === error.field) return error;
  const { code, message, fix, retryAfterSeconds, details, cause } = error;
  return new AppError(code, message, {
    ...(field !== null && { field }),
    ...(fix !== null && { fix: fix.replaceAll('response_format', names.format) }),
    ...(retryAfterSeconds !== null && { retryAfterSeconds }),
    ...(details !== null && { details }),
    ...(cause !== undefined && { cause }),
  });
}

function fieldIn(error: AppError, names: FieldNames): string | null {
  if (error.field === 'response_format') return names.format;
  if (error.field === 'prompt' || (error.field === null && error.code === 'context_length_exceeded')) {
    return names.prompt;
  }
  return error.field;
}
