import type { FastifyError } from 'fastify';
import { RequestValidationError } from 'fastify-zod-openapi';
import { AppError, toAppError } from '../../core/errors.ts';
import { validationError } from '../fields/validation.ts';
import { notJson } from '../plugins/json-body.ts';

/**
 * Makes an `AppError` of whatever a route, a hook, the body parser or Fastify itself throws. What is not known to be
 * fit for a client becomes `internal_error` with the cause kept.
 */
export function normalizeError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (!isFastifyError(thrown)) return toAppError(thrown);
  if (thrown.validation) {
    const problems = thrown.validation.filter((problem) => problem instanceof RequestValidationError);
    return validationError(problems.map((problem) => problem.params.issue));
  }
  switch (thrown.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new AppError('payload_too_large', 'The body is larger than this server accepts.');
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return notJson();
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new AppError('invalid_request', 'The body is not as long as Content-Length says.');
    case 'FST_ERR_BAD_URL':
      return new AppError('invalid_request', 'The URL is not valid.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new AppError('invalid_request', 'A part of the URL is too long.');
    default:
      // Fastify's own refusals (a client that hangs up in mid-body, a QUERY without a type) are the client's errors.
      return (thrown.statusCode ?? 500) < 500
        ? new AppError('invalid_request', 'The request could not be read.', { cause: thrown })
        : toAppError(thrown);
  }
}

function isFastifyError(thrown: unknown): thrown is FastifyError {
  return thrown instanceof Error && 'code' in thrown && ('validation' in thrown || 'statusCode' in thrown);
}
