import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';

/** What the answers of several endpoints hold. */

export const usage = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: count,
    prompt_tokens_details: z.object({ cached_tokens: count, cache_write_tokens: count }),
    completion_tokens_details: z.object({
      reasoning_tokens: count,
      accepted_prediction_tokens: count,
      rejected_prediction_tokens: count,
    }),
  })
  .meta({ id: 'CompletionUsage' });

export const finishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);

export const openaiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
    detail: z.string(),
  })
  .meta({ id: 'OpenAiError' });

/** What a record of a stream holds: an item, an error as the last one, or the word that ends it. */
export const streamData = <Item extends z.ZodType>(item: Item) =>
  z.union([item, openaiError.pick({ error: true }), z.literal('[DONE]')]);

/** llama.cpp's build and a hash of the model's file. */
export const systemFingerprint = z
  .string()
  .optional()
  .meta({ examples: ['b0.5.0-0f3a9c51e2d4'] });

export const serviceTier = z.string().optional().meta({ description: 'Where the request named one.' });

export const promptProgress = z
  .object({ total: count, cache: count, processed: count, time_ms: count })
  .optional()
  .meta({ description: 'With return_progress, while the prompt is read.' });
