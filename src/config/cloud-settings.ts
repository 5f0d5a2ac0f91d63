import { z } from 'zod';
import { parseUsd } from '../core/money.ts';
import type { ProviderPreset, ProviderType } from './providers.ts';
import * as value from './values.ts';

/**
 * The sections of the file that speak of other sources of answers, by the names that seed 002 gives them. `cloud.ts` makes
 * `CloudConfig` of what they hold.
 */

/** Of providers and chains, in headers and paths. */
const idPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Presets by name, each with the type that it is of. Names of providers that are also presets need no `type`. */
export const presetNames = [
  'openai',
  'gemini',
  'deepseek',
  'qwen',
  'vllm',
  'llama-server',
  'ollama',
  'hearth',
  'custom',
] as const satisfies readonly ProviderPreset[];

const types = ['anthropic', 'bedrock', 'openai-compatible'] as const satisfies readonly ProviderType[];

/** Words that may stand for a type: those of the types, and those of the presets. */
export const typeNames = [...types, ...presetNames.filter((name) => name !== 'custom')] as const;

const id = z.string().regex(idPattern, 'must be lower-case letters, digits, - and _, at most 64');
const providerId = id.refine((name) => name !== 'local', 'is this machine, and is always there');
/** A price for so many tokens; `scale`: decimal digits up to a million of them. */
const price = (scale: number) => value.converted((amount) => parseUsd(amount, scale));
const per1k = price(3);
const perMillion = price(0);
const usd = value.converted((amount) => parseUsd(amount));
const count = value.integer(1, 2 ** 40);
const tokens = value.integer(1, 2 ** 31);
/** A secret of the file: a text, or what `${NAME}` stands for. */
const secretText = z.string().min(1, 'must not be empty').max(8_192);
const serviceKey = secretText
  .refine(value.isSendableKey, 'must be one line of ASCII characters without blanks')
  .meta(value.neverShown);
const clientKey = secretText
  .refine((text) => value.clientKeyPattern.test(text), 'must be 1 to 512 characters without blanks')
  .meta(value.neverShown);
/** What HTTP can carry, and nothing that ends a line. */
const headerText = z
  .string()
  .max(8_192)
  .refine((text) => /^[\t\x20-\x7e\x80-\xff]*$/.test(text), 'must be one line that a header can hold')
  .meta(value.neverShown);
/** What the file may say of a service, in the words of the second specification and of the tables of providers. */
const capabilities = z.strictObject({
  supports_streaming: value.truth().optional(),
  supports_vision: value.truth().optional(),
  supports_function_calling: value.truth().optional(),
  supports_json_mode: value.truth().optional(),
  supports_system_prompt: value.truth().optional(),
  supports_token_counting: value.truth().optional(),
  supports_embeddings: value.truth().optional(),
  supports_logprobs: value.truth().optional(),
  sampling: value.truth().optional(),
  prefill: value.truth().optional(),
  forced_tools: value.truth().optional(),
  structured_output: value.truth().optional(),
  vision: value.truth().optional(),
  prompt_caching: value.truth().optional(),
});

const priceNames = ['input', 'output', 'reasoning', 'cache_read', 'cache_write', 'cache_write_1h'] as const;
/** Kinds of tokens that have a price of their own in the file. */
export type PriceName = (typeof priceNames)[number];
const tokenPrices = {
  input_per_1k: per1k.optional(),
  output_per_1k: per1k.optional(),
  reasoning_per_1k: per1k.optional(),
  cache_read_per_1k: per1k.optional(),
  cache_write_per_1k: per1k.optional(),
  cache_write_1h_per_1k: per1k.optional(),
  input_per_million: perMillion.optional(),
  output_per_million: perMillion.optional(),
  reasoning_per_million: perMillion.optional(),
  cache_read_per_million: perMillion.optional(),
  cache_write_per_million: perMillion.optional(),
  cache_write_1h_per_million: perMillion.optional(),
};
/** Exact to nine digits behind the point. */
const factor = value.converted((amount) => parseUsd(amount));
const day = z.iso
  .date()
  .or(z.iso.datetime({ offset: true }))
  .transform((text) => new Date(text));

function onceEach(prices: Record<string, unknown>, context: z.RefinementCtx): void {
  for (const name of priceNames) {
    if (prices[`${name}_per_1k`] === undefined || prices[`${name}_per_million`] === undefined) continue;
    context.addIssue({ code: 'custom', path: [`${name}_per_million`], message: `is set beside ${name}_per_1k` });
  }
}

const pricingFields = {
  ...tokenPrices,
  regional_factor: factor.optional(),
  tiers: z
    .record(
      z.string().regex(/^[a-z0-9_-]{1,32}$/, 'must be the name of a class of service, such as flex'),
      z.strictObject({ ...tokenPrices, factor: factor.optional() }).superRefine(onceEach),
    )
    .optional(),
  long_context: z
    .strictObject({ above_tokens: tokens, ...tokenPrices })
    .superRefine(onceEach)
    .optional(),
  tool_uses: z.record(z.string().max(64), usd).optional(),
};
const pricing = z.strictObject(pricingFields).superRefine(onceEach);
/** Later prices than the first, each from its day on. */
const pricingChange = z.strictObject({ ...pricingFields, effective_from: day }).superRefine(onceEach);

/** One price of a model, as the file has it. */
export type PricingSettings = z.output<typeof pricing> & { effective_from?: Date };
export type TokenPriceSettings = { [Name in keyof typeof tokenPrices]?: bigint | undefined };

const model = z.strictObject({
  id: value.modelName(),
  aliases: z.array(value.modelName()).max(64).optional(),
  display_name: z.string().max(256).optional(),
  context_window: tokens.optional(),
  max_output_tokens: tokens.optional(),
  is_default: value.truth().optional(),
  supports_vision: value.truth().optional(),
  supports_function_calling: value.truth().optional(),
  pricing: pricing.optional(),
  pricing_changes: z.array(pricingChange).max(64).optional(),
});

const rateLimits = z.strictObject({
  requests_per_minute: count.optional(),
  tokens_per_minute: count.optional(),
  requests_per_day: count.optional(),
});

const provider = z.strictObject({
  type: z.enum(typeNames, { error: `must be one of ${typeNames.join(', ')}` }).optional(),
  preset: z.enum(presetNames, { error: `must be one of ${presetNames.join(', ')}` }).optional(),
  enabled: value.truth().optional(),
  display_name: z.string().max(256).optional(),
  base_url: z.string().refine(value.isBaseAddress, 'must be an address such as https://api.example.com/v1').optional(),
  api_key: serviceKey.optional(),
  api_key_file: value.path().optional(),
  api_version: z.string().max(64).optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-central-1')
    .optional(),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/i, 'must be the name of a header'), headerText)
    .optional(),
  timeout: value.timeLimit().optional(),
  first_byte_timeout: value.timeLimit().optional(),
  idle_timeout: value.timeLimit().optional(),
  models: z.array(model).max(1_024).optional(),
  rate_limits: rateLimits.optional(),
  batch: z.enum(['auto', 'on', 'off'], { error: 'must be auto, on or off' }).optional(),
  capabilities: capabilities.optional(),
});

/** One provider, as the file has it. */
export type ProviderSettings = z.output<typeof provider>;

const budget = z.strictObject({ daily: usd.optional(), weekly: usd.optional(), monthly: usd.optional() });

const scopes = z
  .array(z.enum(['inference', 'admin']))
  .min(1)
  .max(2);

const key = z.strictObject({
  name: z.string().regex(/^[^\s,]{1,64}$/, 'must be 1 to 64 characters without blanks'),
  key: clientKey.optional(),
  key_file: value.path().optional(),
  scopes: scopes.optional(),
  expires: day.optional(),
  models: z.array(value.modelName()).max(1_024).optional(),
  cloud: value.truth().optional(),
  budget: budget.optional(),
  rate_limits: rateLimits.optional(),
});

/** Whose signatures nobody can make who only checks them. */
export const jwtAlgorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const jwt = z.strictObject({
  issuer: z.string().min(1).max(2_048),
  audience: z.union([
    z
      .string()
      .min(1)
      .transform((name) => [name]),
    z.array(z.string().min(1)).min(1).max(64),
  ]),
  jwks_file: value.path().optional(),
  jwks_url: z
    .string()
    .refine(isKeyAddress, 'must be an address such as https://login.example.com/jwks; without TLS on this machine only')
    .optional(),
  algorithms: z
    .array(z.enum(jwtAlgorithms, { error: `must be one of ${jwtAlgorithms.join(', ')}` }))
    .min(1)
    .max(jwtAlgorithms.length)
    .optional(),
  scopes: scopes.optional(),
  models: z.array(value.modelName()).max(1_024).optional(),
  cloud: value.truth().optional(),
});

/** Whoever answers there can make tokens, so that the way must not be open to others. */
function isKeyAddress(text: string): boolean {
  if (!value.isBaseAddress(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

/** Schemas by the names of the file. */
export const cloudSchemas = {
  version: z
    .union([z.string(), z.number().transform(String)])
    .refine((version) => /^1(\.0)?$/.test(version), "must be '1.0', which is the only version that there is"),
  global: z.strictObject({
    cloud: z
      .union([z.enum(['allow', 'forbid']), value.truth().transform((on) => (on ? 'allow' : 'forbid'))])
      .optional(),
    default_provider: id.optional(),
    default_model: value.modelName().optional(),
    request_timeout: value.timeLimit().optional(),
    max_retries: value.integer(0, 20).optional(),
    health_probes: value.truth().optional(),
    enable_caching: value.truth().optional(),
    cache_ttl: value.integer(0, 31_536_000).optional(),
  }),
  providers: z.record(providerId, provider),
  failover_chains: z.record(
    id,
    z.union([
      z
        .array(id)
        .min(1)
        .max(32)
        .transform((providers) => ({ providers, description: '' })),
      z
        .strictObject({ providers: z.array(id).min(1).max(32), description: z.string().max(1_024).optional() })
        .transform(({ providers, description = '' }) => ({ providers, description })),
    ]),
  ),
  rate_limits: z.strictObject({ per_key: rateLimits.optional(), per_address: rateLimits.optional() }),
  budgets: z.strictObject({
    ...budget.shape,
    per_key: budget.optional(),
    alert_at: z.number().min(0.01).max(1).optional(),
    unknown_prices: z.enum(['refuse', 'allow']).optional(),
    price_list_file: value.path().optional(),
  }),
  keys: z.array(key).max(10_000),
  jwt,
  ledger: z.strictObject({ keep_days: value.integer(1, 36_500).optional() }),
};

/** What the sections hold; null: nothing is set. */
export type CloudSettings = { [Name in keyof typeof cloudSchemas]: z.output<(typeof cloudSchemas)[Name]> | null };
export type BudgetSettings = z.output<typeof budget>;
export type RateLimitSettings = z.output<typeof rateLimits>;
