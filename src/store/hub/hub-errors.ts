import { AppError } from '../../core/errors.ts';

/** A failure that may pass: the network, a server that is overloaded or restarts. `retryAfterMs`: what it asked for. */
export class TransientHubError extends Error {
  readonly retryAfterMs: number | null;
  constructor(message: string, options: { retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TransientHubError';
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** What a hub said that cannot be believed. `reason` is a stable code for programs. */
export function invalidAnswer(reason: string, message: string, details: Record<string, unknown> = {}): AppError {
  return new AppError('hub_answer_invalid', message, { details: { reason, ...details } });
}

/** The same error for every way in which the hub can give another length than its listing. */
export function lengthError(expectedBytes: number, actualBytes: number): AppError {
  return invalidAnswer('bad_length', 'The file has another length than the hub lists.', {
    expected_bytes: expectedBytes,
    actual_bytes: actualBytes,
  });
}

/** What a failure that may pass means for a client once it is no longer waited for; other errors stay what they are. */
export function givenUp(error: unknown): unknown {
  if (!(error instanceof TransientHubError)) return error;
  return new AppError('hub_failed', `The hub could not be read: ${error.message}.`, {
    fix: 'Pull again later; what arrived is kept.',
    ...(error.retryAfterMs !== null && { retryAfterSeconds: Math.ceil(error.retryAfterMs / 1000) }),
    cause: error,
  });
}
