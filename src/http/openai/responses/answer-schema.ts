import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';

const item = z.looseObject({ type: z.string(), id: z.string() }).meta({
  id: 'ResponseItem',
  description: 'message, reasoning, function_call, custom_tool_call, apply_patch_call, local_shell_call, compaction',
});

export const responseUsage = z
  .object({
    input_tokens: count,
    input_tokens_details: z.object({ cached_tokens: count, cache_write_tokens: count }),
    output_tokens: count,
    output_tokens_details: z.object({ reasoning_tokens: count }),
    total_tokens: count,
  })
  .meta({ id: 'ResponseUsage' });

/** Seconds since the epoch. */
const seconds = count;

export const responseAnswer = z
  .object({
    id: z.string(),
    object: z.literal('response'),
    created_at: seconds,
    status: z.enum(['completed', 'failed', 'in_progress', 'cancelled', 'queued', 'incomplete']),
    completed_at: seconds.nullable(),
    error: z.object({ code: z.string(), message: z.string(), param: z.string().nullable() }).nullable(),
    incomplete_details: z.object({ reason: z.enum(['max_output_tokens', 'content_filter']) }).nullable(),
    instructions: z.string().nullable(),
    metadata: z.record(z.string(), z.string()),
    model: z.string(),
    output: z.array(item),
    parallel_tool_calls: z.boolean(),
    temperature: z.number(),
    top_p: z.number(),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    top_logprobs: count,
    tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]),
    tools: z.array(z.looseObject({ type: z.string() })),
    previous_response_id: z.string().nullable(),
    reasoning: z.object({ effort: z.string().nullable(), summary: z.string().nullable() }),
    text: z.looseObject({ format: z.looseObject({ type: z.string() }) }),
    truncation: z.enum(['auto', 'disabled']),
    usage: responseUsage.nullable(),
    max_output_tokens: count.nullable(),
    max_tool_calls: count.nullable(),
    background: z.boolean(),
    store: z.boolean(),
    service_tier: z.literal('default'),
    access_programs: z.null(),
    prompt_cache_key: z.string().nullable(),
    safety_identifier: z.string().nullable(),
  })
  .meta({ id: 'Response' });

export const responseEvent = z
  .looseObject({ type: z.string(), sequence_number: count })
  .meta({ id: 'ResponseStreamEvent', description: 'response.created, … response.completed; see the guide.' });

/** What records are called: each as its `type`. */
export const responseEventName = z.string().meta({ examples: ['response.output_text.delta'] });

export const itemList = z
  .object({
    object: z.literal('list'),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'ResponseItemList' });

export const inputTokensAnswer = z
  .object({ object: z.literal('response.input_tokens'), input_tokens: count })
  .meta({ id: 'ResponseInputTokens' });

export const compactionAnswer = z
  .object({
    id: z.string(),
    object: z.literal('response.compaction'),
    created_at: seconds,
    output: z.array(item),
    usage: responseUsage.nullable(),
  })
  .meta({ id: 'ResponseCompaction' });

export const deletedAnswer = z
  .object({ id: z.string(), object: z.literal('response'), deleted: z.literal(true) })
  .meta({ id: 'ResponseDeleted' });

export type ResponseAnswer = z.infer<typeof responseAnswer>;
