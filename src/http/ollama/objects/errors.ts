import { z } from 'zod';
import type { AppError, ErrorCode } from '../../../core/errors.ts';

/** Where Ollama has another status for the same failure; its clients know few. */
const statuses: Partial<Record<ErrorCode, number>> = {
  queue_full: 503,
  model_busy: 503,
  insufficient_memory: 500,
  invalid_model_file: 500,
  model_load_failed: 500,
  storage_unavailable: 500,
  hub_failed: 500,
  hub_answer_invalid: 500,
  not_supported: 400,
};

export const statusOf = (error: AppError): number => statuses[error.code] ?? error.status;

export const ollamaError = z.object({ error: z.string() }).meta({ id: 'OllamaError' });

/**
 * Errors of this dialect: one sentence, which names the field at fault as there is no other place for it. Clients look for
 * "not found" in it before they pull.
 */
export function errorBody({ code, message, fix, field }: AppError): { error: string } {
  const text = fix === null ? message : `${message} ${fix}`;
  if (code === 'model_not_found') return { error: `model not found: ${text}` };
  return { error: field === null || message.includes(field) ? text : `"${field}": ${text}` };
}
