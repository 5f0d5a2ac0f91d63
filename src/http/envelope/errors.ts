import { z } from 'zod';
import type { AppError } from '../../core/errors.ts';
import type { ErrorBody } from '../mount/error-handler.ts';

/** Names that Anthropic's libraries have for errors of these statuses. */
const types: Readonly<Record<number, string>> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  403: 'PermissionDeniedError',
  404: 'NotFoundError',
  409: 'ConflictError',
  413: 'RequestTooLargeError',
  422: 'UnprocessableEntityError',
  429: 'RateLimitError',
};

export const envelopeError = z
  .object({
    success: z.literal(false),
    error: z.string(),
    metadata: z.object({
      error_type: z.string(),
      request_id: z.string(),
      code: z.string(),
      field: z.string().optional(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .meta({ id: 'EnvelopeError' });

/** An error as the fourth seed specification has it; what its text has no place for stands in the metadata. */
export function envelopeErrorOf(error: AppError, requestId: string): z.infer<typeof envelopeError> {
  return {
    success: false,
    error: error.fix === null ? error.message : `${error.message} ${error.fix}`,
    metadata: {
      error_type: types[error.status] ?? (error.status >= 500 ? 'InternalServerError' : 'APIError'),
      request_id: requestId,
      code: error.code,
      ...(error.field !== null && { field: error.field }),
      ...(error.details !== null && { details: error.details }),
    },
  };
}

export const envelopeErrorBody: ErrorBody = (error, { requestId }) => envelopeErrorOf(error, requestId);
