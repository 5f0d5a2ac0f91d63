import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';
import { messageAnswer } from '../messages/messages.ts';
import { anthropicError } from '../objects/answer-schema.ts';

/** As many as Anthropic takes. */
const mostRequests = 100_000;

/** What a request holds is looked at one by one, so that a complaint can name it. */
const batchRequest = z
  .object({
    custom_id: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, "_" or "-"')
      .meta({ description: 'Names the result; once in a batch.' }),
    params: z
      .record(z.string(), z.unknown())
      .meta({ description: 'A body of /v1/messages, without "stream".', id: 'AnthropicBatchRequestParams' }),
  })
  .meta({ id: 'AnthropicBatchRequest' });

export const batchBody = z.object({ requests: z.array(batchRequest).min(1).max(mostRequests) }).meta({
  id: 'AnthropicCreateBatchRequest',
  examples: [
    {
      requests: [
        {
          custom_id: 'mail-1',
          params: { model: 'default', max_tokens: 256, messages: [{ role: 'user', content: 'What is Hearth?' }] },
        },
      ],
    },
  ],
});

export type BatchBody = z.infer<typeof batchBody>;

const time = timestamp.nullable();

export const batchAnswer = z
  .object({
    id: z.string(),
    type: z.literal('message_batch'),
    processing_status: z.enum(['in_progress', 'canceling', 'ended']),
    request_counts: z
      .object({ processing: count, succeeded: count, errored: count, canceled: count, expired: count })
      .meta({ description: 'Until the batch has ended all are processing.' }),
    created_at: timestamp,
    expires_at: timestamp,
    ended_at: time,
    cancel_initiated_at: time,
    archived_at: time.meta({ description: 'When its results were removed for their age.' }),
    results_url: z.string().nullable().meta({ description: 'Where the results are once the batch has ended.' }),
  })
  .meta({ id: 'AnthropicBatch' });

export const batchListAnswer = z
  .object({
    data: z.array(batchAnswer),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  })
  .meta({ id: 'AnthropicBatchList' });

export const deletedAnswer = z
  .object({ id: z.string(), type: z.literal('message_batch_deleted') })
  .meta({ id: 'AnthropicDeletedBatch' });

export const resultLine = z
  .object({
    custom_id: z.string(),
    result: z.discriminatedUnion('type', [
      z.object({ type: z.literal('succeeded'), message: messageAnswer }),
      z.object({ type: z.literal('errored'), error: anthropicError }),
      z.object({ type: z.literal('canceled') }),
      z.object({ type: z.literal('expired') }),
    ]),
  })
  .meta({ id: 'AnthropicBatchResult' });

export const batchPath = z.object({ batch_id: z.string() });

export const batchQuery = z.object({
  limit: z
    .string()
    .regex(/^(?:[1-9]\d{0,2}|1000)$/, { error: 'must be a whole number from 1 to 1000' })
    .optional()
    .meta({ description: 'At most so many, 1 to 1000; left out: 20.' }),
  after_id: z.string().optional().meta({ description: 'Only batches after this one, which are older.' }),
  before_id: z.string().optional().meta({ description: 'Only batches before this one, which are newer.' }),
});
