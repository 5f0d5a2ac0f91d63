import { z } from 'zod';
import { quantizationAdvice } from '../../../core/quantization-advice.ts';
import { snakeCaseSchema } from '../../../wire/snake-case.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameInPath } from '../../fields/model-name.ts';
import { kvCacheType, nativePlan } from './plan-schema.ts';

export const loadBody = z
  .strictObject({
    quantization: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{1,32}$/, { error: 'not a quantization label such as q4_0, or auto' })
      .optional()
      .meta({
        description: 'A label such as `q4_k_m`, or `auto`: the best quality that fits, of its size the fastest here.',
      }),
    prefer_gpu: z.boolean().optional(),
    context_length: z.int().min(16).max(16_777_216).optional().meta({ description: 'Tokens per slot.' }),
    parallel: z.int().min(1).max(32).optional().meta({ description: 'How many requests run at the same time.' }),
    kv_cache_type: kvCacheType.optional(),
    keep_alive: keepAliveField.optional(),
    pin: z.boolean().optional().meta({ description: 'Neither idle time nor another load ends a pinned model.' }),
    force: z
      .boolean()
      .optional()
      .meta({ description: 'Load it also where it does not fit by the plan, with the least settings.' }),
  })
  .meta({ id: 'LoadRequest', description: 'All settings are optional, and so is the body.' });

export type LoadBody = z.infer<typeof loadBody>;

/** Unloading has no settings; a body, if there is one, is an empty object. */
export const unloadBody = z.strictObject({}).meta({ id: 'UnloadRequest' });

export const modelPath = z.object({ name: modelNameInPath });

const variant = z.object({
  quantization: z.string(),
  size: z.string(),
  size_bytes: count,
  bits_per_weight: z.number().nullable(),
  reason: z.string().nullable().meta({ description: 'Why it cannot be loaded.' }),
  expected_memory: z.string().nullable(),
  expected_memory_bytes: count.nullable().meta({ description: 'As a load would plan it now.' }),
  fits: z.boolean().nullable().meta({ description: 'Whether it would fit now, idle models ended.' }),
  files: z.array(z.string()).meta({ description: 'Paths in the model folder, in the order of their parts.' }),
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
    made_names: z.array(z.string()).meta({ description: 'Names that clients made for it.' }),
    format: z.literal('gguf'),
    size: z.string(),
    size_bytes: count,
    quantization: z.string(),
    loaded: z.boolean(),
    state: z.enum(['unloaded', 'loading', 'loaded', 'unloading', 'quarantined', 'invalid']),
    reason: z
      .string()
      .nullable()
      .meta({ description: 'Why it is invalid or quarantined, or why its last load failed.' }),
    memory_usage: z.string().nullable(),
    memory_bytes: count
      .nullable()
      .meta({ description: 'Measured; what the plan of its load expected is in planned_memory_bytes.' }),
    planned_memory_bytes: count.nullable(),
    architecture: z.string().nullable(),
    parameters: count.nullable(),
    context_length: count.nullable().meta({ description: 'Tokens that the model was trained with.' }),
    variants: z.array(variant),
    advice: snakeCaseSchema(quantizationAdvice).meta({ id: 'QuantizationAdvice' }).nullable().meta({
      description: 'A quantization of about the same size that this processor is faster with, by measured figures.',
    }),
    modified_at: timestamp,
    context_length_loaded: count.nullable(),
    slots: count.nullable(),
    threads: count.nullable(),
    kernels: z
      .object({
        name: z.string().meta({ examples: ['haswell', 'armv8.2_1'] }),
        built_here: z.boolean().meta({ description: 'Built on this machine or for this image, with our patches.' }),
        gain_of_built: z
          .object({ prompt: z.number(), decode: z.number(), measured_here: z.boolean() })
          .nullable()
          .meta({ description: "How often as fast as the library's own those with our patches are for this model." }),
      })
      .nullable()
      .meta({ description: 'The code that the library took for this processor.' }),
    tokens_per_second: z
      .number()
      .nullable()
      .meta({ description: 'Of all its answers together over the last seconds; null: it wrote none in them.' }),
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
    ends_next: z.boolean().meta({ description: 'The first to go when memory is short or another model needs room.' }),
    active_requests: count.nullable(),
    queued_requests: count.nullable(),
  })
  .meta({ id: 'Model' });

const leftOut = z
  .array(z.string())
  .meta({ description: 'What lies in the model folder and is not listed, one sentence each.' });

const cloudModels = z
  .array(
    z
      .object({
        name: z.string(),
        provider: z.string(),
        display_name: z.string(),
        aliases: z.array(z.string()),
        context_length: count.nullable(),
        max_output_tokens: count.nullable(),
        operations: z.array(z.enum(['generate', 'decide', 'embed', 'rank'])),
      })
      .meta({ id: 'CloudModel' }),
  )
  .meta({ description: 'Models of other providers that this key may ask for; a request for one leaves the house.' });

export const modelList = z
  .object({ models: z.array(nativeModel), cloud_models: cloudModels, left_out: leftOut })
  .meta({ id: 'ModelList' });

const envelopeMetadata = z.object({ request_id: z.string() });

/** At `/api/v1` a model also carries the envelope of the fourth seed specification. */
export const modelEnvelope = nativeModel
  .extend({ success: z.literal(true), data: nativeModel, metadata: envelopeMetadata })
  .meta({ id: 'ModelEnvelope' });

/** The list likewise. */
export const modelListEnvelope = z
  .object({
    models: z.array(nativeModel),
    cloud_models: cloudModels,
    left_out: leftOut,
    success: z.literal(true),
    data: z.array(nativeModel),
    metadata: envelopeMetadata,
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
