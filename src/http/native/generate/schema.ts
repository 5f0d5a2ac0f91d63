import { z } from 'zod';
import { costField } from '../../answer/answer.ts';
import { count } from '../../fields/answer-values.ts';
import { cachePromptField } from '../../fields/cache-prompt.ts';
import { excludes } from '../../fields/exclusions.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../../fields/sampling.ts';
import { extraSamplingFields } from '../../fields/sampling-extras.ts';
import type { NativeMount } from '../mounts/mounts.ts';

/** How an answer is made, whatever it answers. */
export const settingFields = {
  model: modelNameField.optional(),
  max_tokens: maxTokensField.optional().meta({ description: 'Left out: until the end of the context.' }),
  temperature: samplingFields.temperature.optional(),
  top_p: samplingFields.top_p.optional(),
  top_k: samplingFields.top_k.optional(),
  min_p: samplingFields.min_p.optional(),
  seed: samplingFields.seed.optional(),
  repeat_penalty: samplingFields.repeat_penalty.optional(),
  frequency_penalty: samplingFields.frequency_penalty.optional(),
  presence_penalty: samplingFields.presence_penalty.optional(),
  logit_bias: extraSamplingFields.logit_bias.optional(),
  ignore_eos: extraSamplingFields.ignore_eos.optional(),
  min_tokens: extraSamplingFields.min_tokens.optional(),
  xtc_probability: extraSamplingFields.xtc_probability.optional(),
  xtc_threshold: extraSamplingFields.xtc_threshold.optional(),
  dry_multiplier: extraSamplingFields.dry_multiplier.optional(),
  dry_base: extraSamplingFields.dry_base.optional(),
  dry_allowed_length: extraSamplingFields.dry_allowed_length.optional(),
  dry_penalty_last_n: extraSamplingFields.dry_penalty_last_n.optional(),
  dry_sequence_breakers: extraSamplingFields.dry_sequence_breakers.optional(),
  stop: stopField.optional(),
  stop_sequences: stopField.optional().meta({ description: 'Another name for stop.' }),
  format: z
    .union([z.literal('json', { error: 'only "json" or a JSON Schema' }), z.record(z.string(), z.unknown())])
    .optional()
    .meta({ description: '"json" for any JSON object, or a JSON Schema that the answer keeps to.' }),
  keep_alive: keepAliveField.optional(),
  cache_prompt: cachePromptField.optional(),
};

export type SettingValues = z.infer<z.ZodObject<typeof settingFields>>;

/** Fields of a generation, shared with the WebSocket and with batches, where nothing can be streamed. */
export const promptFields = {
  prompt: z.string().min(1),
  system_prompt: z.string().optional().meta({ description: 'Instructions for the model.' }),
  system: z.string().optional().meta({ description: 'Another name for system_prompt.' }),
  raw: z.boolean().optional().meta({ description: 'Continue the prompt as it stands, without the chat template.' }),
  ...settingFields,
};

export const generateFields = { ...promptFields, stream: z.boolean().optional() };

export const generateBody = z.strictObject(generateFields).meta({
  id: 'GenerateRequest',
  override: {
    allOf: [
      excludes('system_prompt', 'system'),
      excludes('stop', 'stop_sequences'),
      excludes('system_prompt', 'raw', true),
      excludes('system', 'raw', true),
    ],
  },
  examples: [{ prompt: 'What is Hearth?', max_tokens: 64, temperature: 0 }],
});

export type GenerateBody = z.infer<typeof generateBody>;

export const nativeUsage = z
  .object({
    prompt_tokens: count.nullable(),
    completion_tokens: count.nullable(),
    total_tokens: count.nullable(),
    cached_prompt_tokens: count.nullable(),
  })
  .meta({ id: 'Usage' });

export const finishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'cancelled']);

export const nativeToolCall = z.object({
  id: z.string(),
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()),
});

export const generateAnswer = z
  .object({
    text: z.string(),
    reasoning: z.string().optional(),
    tool_calls: z.array(nativeToolCall).optional(),
    usage: nativeUsage,
    latency: z.number().meta({ description: 'Seconds' }),
    latency_ms: z.number(),
    model: z.string(),
    provider: z.string(),
    finish_reason: finishReason,
    cost: costField,
    request_id: z.string(),
  })
  .meta({ id: 'GenerateResponse' });

export const generateItem = z
  .object({
    token: z.string(),
    delta: z.string(),
    reasoning: z.string().optional(),
    index: count,
    finished: z.boolean(),
    finish_reason: finishReason.optional(),
    usage: nativeUsage.optional(),
    latency_ms: z.number().optional(),
    model: z.string().optional(),
    provider: z.string().optional(),
    cost: costField.optional(),
    request_id: z.string().optional(),
  })
  .meta({ id: 'GenerateStreamItem' });

/** What a record of the stream holds: an item, an error as the last one, or the word that ends it. */
export function generateData({ errorSchema, endsWithDone }: NativeMount) {
  const failed = z.object({ ...errorSchema.shape, finished: z.literal(true) });
  return z.union([generateItem, failed, ...(endsWithDone ? [z.literal('[DONE]')] : [])]);
}
