import { z } from 'zod';
import { cachePromptField } from '../../fields/cache-prompt.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../../fields/sampling.ts';
import { extraSamplingFields } from '../../fields/sampling-extras.ts';
import { nativePlan } from '../plan/schema.ts';

/** Bodies and answers of the native dialect. Bodies are strict: an unknown field is an error that names it. */

/** Fields of a generation, shared with the WebSocket. */
export const generateFields = {
  prompt: z.string().min(1),
  system_prompt: z.string().optional().meta({ description: 'Instructions for the model.' }),
  system: z.string().optional().meta({ description: 'Another name for system_prompt.' }),
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
  stream: z.boolean().optional(),
  raw: z.boolean().optional().meta({ description: 'Continue the prompt as it stands, without the chat template.' }),
  keep_alive: keepAliveField.optional(),
  cache_prompt: cachePromptField.optional(),
};

export const generateBody = z
  .strictObject(generateFields)
  .meta({ id: 'GenerateRequest', examples: [{ prompt: 'What is Hearth?', max_tokens: 64, temperature: 0 }] });

export type GenerateBody = z.infer<typeof generateBody>;

export const loadBody = z
  .strictObject({
    quantization: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,32}$/, { error: 'not a quantization label such as q4_0, or auto' })
      .optional()
      .meta({ description: 'A label such as `q4_k_m`, or `auto`: the best quality that fits.' }),
    prefer_gpu: z.boolean().optional(),
    context_length: z.int().min(16).max(16_777_216).optional().meta({ description: 'Tokens per slot.' }),
    parallel: z.int().min(1).max(32).optional().meta({ description: 'How many requests run at the same time.' }),
    keep_alive: keepAliveField.optional(),
    pin: z.boolean().optional().meta({ description: 'Neither idle time nor another load ends a pinned model.' }),
  })
  .meta({ id: 'LoadRequest', description: 'All settings are optional, and so is the body.' });

export type LoadBody = z.infer<typeof loadBody>;

/** Unloading has no settings; a body, if there is one, is an empty object. */
export const unloadBody = z.strictObject({}).meta({ id: 'UnloadRequest' });

export const modelPath = z.object({
  name: z.string().meta({ description: 'Name or alias; a slash in it is written %2F.' }),
});

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const timestamp = z.string().meta({ description: 'ISO 8601, UTC' });

export const nativeUsage = z
  .object({
    prompt_tokens: count.nullable(),
    completion_tokens: count.nullable(),
    total_tokens: count.nullable(),
    cached_prompt_tokens: count.nullable(),
  })
  .meta({ id: 'Usage' });

const finishReason = z.enum(['stop', 'length', 'tool_calls', 'cancelled']);

const nativeToolCall = z.object({ id: z.string(), name: z.string(), arguments: z.record(z.string(), z.unknown()) });

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
    cost: z.number().meta({ description: 'US dollars; local answers cost nothing.' }),
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
    request_id: z.string().optional(),
  })
  .meta({ id: 'GenerateStreamItem' });

const variant = z.object({
  quantization: z.string(),
  size: z.string(),
  size_bytes: count,
  bits_per_weight: z.number().nullable(),
  reason: z.string().nullable().meta({ description: 'Why it cannot be loaded.' }),
  expected_memory: z.string().nullable(),
  expected_memory_bytes: count.nullable().meta({ description: 'As a load would plan it now.' }),
  fits: z.boolean().nullable().meta({ description: 'Whether it would fit now, idle models ended.' }),
});

const calibration = z.object({
  decode_threads: count,
  prefill_threads: count,
  decode_tokens_per_second: z.number(),
  prefill_tokens_per_second: z.number().nullable(),
  cost_of_tokens: z.array(z.number()).meta({
    description: 'Time of a step with 1, 2, 3 … tokens against one with a single token: what a guess ahead costs.',
  }),
  measured_at: timestamp,
});

export const nativeModel = z
  .object({
    name: z.string(),
    aliases: z.array(z.string()),
    format: z.literal('gguf'),
    size: z.string(),
    size_bytes: count,
    quantization: z.string(),
    loaded: z.boolean(),
    state: z.enum(['unloaded', 'loading', 'loaded', 'unloading', 'quarantined', 'invalid']),
    reason: z.string().nullable().meta({ description: 'Why it is invalid or quarantined.' }),
    memory_usage: z.string().nullable(),
    memory_bytes: count.nullable(),
    architecture: z.string().nullable(),
    parameters: count.nullable(),
    context_length: count.nullable().meta({ description: 'Tokens that the model was trained with.' }),
    variants: z.array(variant),
    modified_at: timestamp,
    context_length_loaded: count.nullable(),
    slots: count.nullable(),
    threads: count.nullable(),
    calibration: calibration.nullable().meta({ description: 'What was measured of it on this machine, when idle.' }),
    pinned: z.boolean(),
    gpu: z.string().nullable().meta({ description: '`off`: on the CPU; else cuda, vulkan or metal.' }),
    gpu_device: z.string().nullable(),
    gpu_layers: count.nullable().meta({ description: 'Layers on the GPU, the output being one of them.' }),
    gpu_memory_bytes: count.nullable().meta({ description: 'Video memory that was planned for it.' }),
    gpu_reason: z
      .string()
      .nullable()
      .meta({ description: 'Why no GPU is used although one is there or was asked for.' }),
    notes: z
      .array(z.string())
      .meta({ description: 'What was changed against the wish or the default when it was loaded.' }),
    loaded_at: timestamp.nullable(),
    load_ms: z.number().nullable(),
    expires_at: timestamp.nullable(),
    active_requests: count.nullable(),
    queued_requests: count.nullable(),
  })
  .meta({ id: 'Model' });

export const modelList = z.object({ models: z.array(nativeModel) }).meta({ id: 'ModelList' });

/** At `/api/v1` the list also carries the envelope of the fourth seed specification. */
export const modelListEnvelope = z
  .object({
    models: z.array(nativeModel),
    success: z.literal(true),
    data: z.array(nativeModel),
    metadata: z.object({ request_id: z.string() }),
  })
  .meta({ id: 'ModelListEnvelope' });

export const loadAnswer = z
  .object({
    status: z.literal('success'),
    model: nativeModel,
    plan: nativePlan.nullable().meta({ description: 'What the model was loaded with.' }),
    load_ms: z.number(),
    message: z.string(),
  })
  .meta({ id: 'LoadResponse' });

export const unloadAnswer = z
  .object({ status: z.literal('success'), model: nativeModel, message: z.string() })
  .meta({ id: 'UnloadResponse' });

const health = z.enum(['healthy', 'degraded', 'unhealthy']);

export const healthAnswer = z
  .object({
    status: health,
    version: z.string(),
    timestamp,
    model_loaded: z.boolean(),
    memory_usage: z.string().meta({ description: 'Used of the budget', examples: ['2.1GB/8GB'] }),
    memory: z
      .object({
        budget_bytes: count,
        available_bytes: count.meta({ description: 'Free for new loads now.' }),
        used_bytes: count.meta({ description: 'Physical memory of the server and its models.' }),
        reserve_bytes: count.meta({ description: 'Left to others.' }),
        source: z.string().meta({ description: 'Where the budget comes from.', examples: ['host', 'cgroup-v2'] }),
      })
      .meta({ id: 'MemoryStatus' }),
    active_connections: count,
    aws: z.enum(['connected', 'not_configured', 'unreachable']),
    clients_initialized: z.boolean(),
    components: z.object({ engine: health, models: health }),
    gpus: z
      .array(
        z.object({
          name: z.string(),
          backend: z.enum(['cuda', 'vulkan', 'metal']),
          kind: z.enum(['discrete', 'integrated', 'software']),
          memory_bytes: count,
          memory_free_bytes: count,
        }),
      )
      .meta({ description: 'Known once a load has asked for one.' }),
  })
  .meta({ id: 'Health' });

export const nativeError = z
  .object({
    error: z.object({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) }),
  })
  .meta({ id: 'Error' });

export const apiError = z
  .object({
    error: z.string(),
    detail: z.string(),
    status_code: count,
    request_id: z.string(),
    timestamp,
    code: z.string(),
    field: z.string().optional(),
    retry_after: count.optional(),
    details: z.record(z.string(), z.unknown()).optional(),
  })
  .meta({ id: 'ApiError' });
