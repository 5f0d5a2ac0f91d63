import { z } from 'zod';
import { parseDurationMs } from '../../../core/parse-units.ts';
import { count } from '../../fields/answer-values.ts';
import { expiresAfter } from '../files/files.ts';
import { endpoints } from './endpoints.ts';

const [mostPairs, mostKeyLength, mostValueLength] = [16, 64, 512];
const hourMs = 3_600_000;
/** Files that batches are made of are kept so long. */
const longestWindowMs = 30 * 24 * hourMs;

const metadata = z
  .record(z.string().max(mostKeyLength), z.string().max(mostValueLength))
  .refine((pairs) => Object.keys(pairs).length <= mostPairs, { error: `must have at most ${mostPairs} pairs` })
  .meta({
    override: {
      type: 'object',
      maxProperties: mostPairs,
      propertyNames: { type: 'string', maxLength: mostKeyLength },
      additionalProperties: { type: 'string', maxLength: mostValueLength },
    },
  });

/** A window in milliseconds; null: it is none. */
export function windowMs(text: string): number | null {
  try {
    const window = parseDurationMs(text);
    return window >= hourMs && window <= longestWindowMs ? window : null;
  } catch {
    // A text that is no duration.
    return null;
  }
}

export const createBody = z
  .object({
    input_file_id: z.string().min(1).max(256),
    endpoint: z.enum(Object.keys(endpoints) as [string, ...string[]]),
    completion_window: z
      .string()
      .max(32)
      .refine((text) => windowMs(text) !== null, { error: 'must be a time from 1h to 30d, such as 24h' })
      .meta({
        description: '24h, as OpenAI has it, or any other time from 1h to 30d; what has not begun by then never is.',
        // Other units are taken too.
        override: {
          type: 'string',
          pattern: '^(([1-9]\\d?|[1-6]\\d{2}|7[01]\\d|720)h|([1-9]|[12]\\d|30)d)$',
          examples: ['24h'],
        },
      }),
    metadata: metadata.nullish(),
    output_expires_after: expiresAfter.nullish().meta({ description: 'Left out: 30 days.' }),
  })
  .meta({
    id: 'OpenAiCreateBatchRequest',
    examples: [{ input_file_id: `file-${'0'.repeat(44)}`, endpoint: '/v1/chat/completions', completion_window: '24h' }],
  });

export type CreateBatchBody = z.infer<typeof createBody>;

const time = count.nullable();

export const batchAnswer = z
  .object({
    id: z.string(),
    object: z.literal('batch'),
    endpoint: z.string(),
    model: z.string().nullable().meta({ description: 'Where all requests name one.' }),
    errors: z
      .object({
        object: z.literal('list'),
        data: z.array(
          z.object({
            code: z.string(),
            line: count.nullable(),
            message: z.string(),
            param: z.string().nullable(),
          }),
        ),
      })
      .nullable()
      .meta({ description: 'What is wrong with the lines of its input; then nothing of it is asked for.' }),
    input_file_id: z.string(),
    completion_window: z.string(),
    status: z.enum(['failed', 'in_progress', 'finalizing', 'completed', 'expired', 'cancelling', 'cancelled']),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    created_at: count,
    in_progress_at: time,
    expires_at: time,
    finalizing_at: time,
    completed_at: time,
    failed_at: time,
    expired_at: time,
    cancelling_at: time,
    cancelled_at: time,
    request_counts: z.object({ total: count, completed: count, failed: count }),
    usage: z.object({
      input_tokens: count,
      input_tokens_details: z.object({ cached_tokens: count }),
      output_tokens: count,
      output_tokens_details: z.object({ reasoning_tokens: count }),
      total_tokens: count,
    }),
    metadata: z.record(z.string(), z.string()).nullable(),
  })
  .meta({ id: 'OpenAiBatch' });

export const batchListAnswer = z
  .object({
    object: z.literal('list'),
    data: z.array(batchAnswer),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'OpenAiBatchList' });

export const batchPath = z.object({ batch: z.string().meta({ description: 'Id of the batch.' }) });

export const batchListQuery = z.object({
  limit: z
    .string()
    .regex(/^(?:[1-9]\d?|100)$/, { error: 'must be a whole number from 1 to 100' })
    .transform(Number)
    .optional()
    .meta({ description: 'Left out: 20.' }),
  after: z.string().optional().meta({ description: 'Only batches after the one of this id, which are older.' }),
});
