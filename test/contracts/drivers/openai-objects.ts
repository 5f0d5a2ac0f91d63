import { z } from 'zod';
import type { usage } from '../../../src/http/openai/objects/answer-schema.ts';
import type { ReadAnswer, ReadError } from '../dialect.contract.ts';

const errorObject = z.strictObject({
  message: z.string(),
  type: z.string(),
  param: z.string().nullable(),
  code: z.string().nullable(),
});

/** OpenAI's error: in a body with `detail` beside it, in a stream without. */
const errorBody = z.strictObject({ error: errorObject, detail: z.string().optional() });

/** Reads OpenAI's error in a body or a record. */
export function readOpenaiError(body: unknown): ReadError {
  const { message, param } = errorBody.parse(body).error;
  return { message, field: param };
}

export function toReadUsage({
  prompt_tokens,
  completion_tokens,
  total_tokens,
  prompt_tokens_details,
}: z.infer<typeof usage>): NonNullable<ReadAnswer['usage']> {
  return {
    prompt: prompt_tokens,
    cached: prompt_tokens_details?.cached_tokens ?? null,
    output: completion_tokens,
    total: total_tokens,
  };
}

/** The error that a record of a stream is; null: it is none. */
export function errorIn(record: unknown): object | null {
  return typeof record === 'object' && record !== null && 'error' in record ? record : null;
}
