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

/** Errors of this dialect: one sentence. Clients look for "not found" in it before they pull. */
export function errorBody(error: AppError): { error: string } {
  const text = error.fix === null ? error.message : `${error.message} ${error.fix}`;
  return { error: error.code === 'model_not_found' ? `model not found: ${text}` : text };
}
