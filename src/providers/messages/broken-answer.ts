import { AppError } from '../../core/errors.ts';

/** An answer that begins like one and is none: it broke, or something between us and the API has answered. */
export function brokenAnswer(provider: string, what: string, cause?: unknown): AppError {
  return new AppError('upstream_unavailable', `${provider} ${what}.`, {
    details: { provider },
    ...(cause !== undefined && { cause }),
  });
}
