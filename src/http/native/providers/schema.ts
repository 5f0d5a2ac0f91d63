import { z } from 'zod';
import { count, timestamp } from '../../fields/answer-values.ts';
import { enabledBy } from '../../fields/enabled-by.ts';

const price = z.number().min(0);
const truth = z.enum(['true', 'false']).transform((text) => text === 'true');

export const listQuery = z.object({
  enabled_only: truth.optional().meta({ description: 'Leaves out those that are off.' }),
  include_models: truth.optional().meta({ description: 'With the models of each.' }),
});

export const providerPath = z.object({ provider_id: z.string().min(1).max(64) });

export const enableBody = z.strictObject({ enabled: z.boolean() }).meta({ id: 'ProviderChange' });

export const resetBody = z.strictObject({}).meta({ id: 'ProviderReset' });

export const capabilities = z
  .object({
    supports_streaming: z.boolean(),
    supports_vision: z.boolean(),
    supports_function_calling: z.boolean(),
    supports_json_mode: z.boolean(),
    supports_system_prompt: z.boolean(),
    supports_token_counting: z.boolean(),
    supports_embeddings: z.boolean(),
  })
  .catchall(z.boolean())
  .meta({ id: 'ProviderCapabilities', description: 'What any of its models can do, or what the configuration says.' });

export const pricing = z
  .object({
    input_per_1k: price,
    output_per_1k: price,
    reasoning_per_1k: price.nullable(),
    cache_read_per_1k: price.nullable(),
    cache_write_per_1k: price.nullable(),
    cache_write_1h_per_1k: price.nullable(),
  })
  .meta({ id: 'ProviderPricing', description: 'USD for a thousand tokens.' });

const model = z
  .object({
    id: z.string(),
    display_name: z.string(),
    aliases: z.array(z.string()),
    context_window: count.nullable(),
    max_output_tokens: count.nullable(),
    is_default: z.boolean(),
    supports_vision: z.boolean(),
    supports_function_calling: z.boolean(),
    pricing: pricing.nullable().meta({ description: 'Null: unknown, never free.' }),
  })
  .meta({ id: 'ProviderModel' });

const status = z.enum(['healthy', 'degraded', 'unhealthy', 'unknown', 'disabled']);

const listed = z.object({
  id: z.string(),
  display_name: z.string(),
  type: z.enum(['local', 'anthropic', 'bedrock', 'openai-compatible']),
  enabled: z.boolean(),
  enabled_by: enabledBy,
  healthy: z.boolean(),
  status,
  models_count: count,
  default_model: z.string().nullable(),
  capabilities,
});

export const providerList = z
  .object({ providers: z.array(listed.extend({ models: z.array(model).optional() })), total: count, enabled: count })
  .meta({ id: 'ProviderList' });

export const rateLimits = z.object({
  requests_per_minute: count.nullable(),
  tokens_per_minute: count.nullable(),
  requests_per_day: count.nullable(),
});

export const providerDetails = listed
  .extend({
    preset: z.string().nullable(),
    base_url: z.string().nullable(),
    api_version: z.string().nullable(),
    region: z.string().nullable(),
    has_api_key: z.boolean(),
    rate_limits: rateLimits,
    models: z.array(model),
    health: z.object({
      status,
      last_check: timestamp.nullable(),
      latency_ms: count.nullable(),
      error_rate: z.number().min(0).max(1).nullable(),
      error: z.string().nullable(),
    }),
  })
  .meta({ id: 'Provider' });

export const modelList = z
  .object({ provider_id: z.string(), models: z.array(model), total: count })
  .meta({ id: 'ProviderModelList' });

export const chainList = z
  .object({
    chains: z.record(z.string(), z.object({ providers: z.array(z.string()), description: z.string() })),
  })
  .meta({ id: 'FailoverChains' });

export const testBody = z.strictObject({}).meta({ id: 'ProviderTestRequest' });
export const testAnswer = z
  .object({
    provider_id: z.string(),
    answered: z.boolean().describe('Whether it answered now; "status" is how it did over the last minutes'),
    status,
    latency_ms: count.nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: 'ProviderTest' });

const done = z.object({ status: z.literal('success'), provider_id: z.string(), message: z.string() });
export const enableAnswer = done.extend({ enabled: z.boolean() }).meta({ id: 'ProviderChanged' });
export const resetAnswer = done.meta({ id: 'ProviderIsReset' });
