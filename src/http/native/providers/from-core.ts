import type { CloudModelConfig, ModelPricing, ProviderConfig } from '../../../config/providers.ts';
import { localProviderId } from '../../../core/call.ts';
import type { Capabilities, ModelInfo } from '../../../core/model.ts';
import type { Provider } from '../../../core/provider.ts';
import type { CircuitStatus, ProviderHealth } from '../../../gateway/gateway.ts';

/** A provider with all that is known of it without asking it; `config` is null for this machine. */
export interface ProviderView {
  provider: Provider;
  config: ProviderConfig | null;
  isOn: boolean;
  /** By hand, against the configuration. */
  isSwitched: boolean;
  /** Null: it is off. */
  health: ProviderHealth | null;
  /** Its models, as it lists them; those of the configuration where it does not. */
  models: ModelView[];
  /** Null: it has none. */
  defaultModel: string | null;
}

/** A model of a provider: as the provider tells, and as the configuration has it. */
export interface ModelView {
  id: string;
  info: ModelInfo | null;
  configured: CloudModelConfig | null;
  capabilities: Capabilities | null;
}

/** What it can do, in the second specification's words: what the configuration says wins over what its models can do. */
export function toCapabilities({ config, models }: Pick<ProviderView, 'config' | 'models'>) {
  const some = (can: (capabilities: Capabilities) => boolean) =>
    models.some(({ capabilities }) => capabilities !== null && can(capabilities));
  return {
    supports_streaming: true,
    supports_vision: models.some(hasVision),
    supports_function_calling: models.some(hasTools),
    supports_json_mode: some(({ formats }) => formats.includes('json') || formats.includes('json-schema')),
    supports_system_prompt: true,
    supports_token_counting: some(({ countsTokens }) => countsTokens !== false),
    supports_embeddings: some(({ operations }) => operations.includes('embed')),
    ...config?.capabilities,
  };
}

function hasVision({ configured, capabilities }: ModelView): boolean {
  return configured?.supportsVision ?? capabilities?.reads.includes('image') ?? false;
}

function hasTools({ configured, capabilities }: ModelView): boolean {
  return configured?.supportsTools ?? capabilities?.tools ?? false;
}

/** One entry of the list. */
export function toListed(view: ProviderView, withModels: boolean) {
  const { provider, config, isOn, isSwitched, health, models, defaultModel } = view;
  return {
    id: provider.id,
    display_name: displayNameOf(view),
    type: config?.type ?? ('local' as const),
    enabled: isOn,
    enabled_by: isSwitched ? ('request' as const) : ('configuration' as const),
    // Whoever was never asked has done nothing wrong.
    healthy: isOn && health?.status !== 'unhealthy',
    status: statusOf(view),
    models_count: models.length,
    default_model: defaultModel,
    capabilities: toCapabilities(view),
    ...(withModels && { models: models.map((model) => toModel(model, defaultModel)) }),
  };
}

function displayNameOf({ provider, config }: ProviderView): string {
  return provider.id === localProviderId ? 'This machine' : (config?.displayName ?? provider.id);
}

function statusOf({ isOn, health }: ProviderView) {
  return isOn ? (health?.status ?? ('unknown' as const)) : ('disabled' as const);
}

/** How it is, and no more. `circuits`: those of all providers. */
export function toLight(view: ProviderView, circuits: readonly CircuitStatus[]) {
  const { provider, config, health, isOn, isSwitched } = view;
  return {
    id: provider.id,
    display_name: displayNameOf(view),
    type: config?.type ?? ('local' as const),
    enabled: isOn,
    enabled_by: isSwitched ? ('request' as const) : ('configuration' as const),
    status: statusOf(view),
    error: health?.error ?? null,
    latency_ms: health?.latencyMs ?? null,
    open_circuits: circuits
      .filter((circuit) => circuit.provider === provider.id && circuit.state === 'open')
      .map(({ model }) => model),
  };
}

/** A provider by itself. */
export function toDetails(view: ProviderView) {
  const { provider, config, health } = view;
  const { requestsPerMinute = null, tokensPerMinute = null, requestsPerDay = null } = config?.rateLimits ?? {};
  const { models, ...listed } = toListed(view, true);
  return {
    ...listed,
    preset: config?.preset ?? null,
    base_url: config?.baseUrl ?? provider.baseUrl ?? null,
    api_version: config?.apiVersion ?? null,
    region: config?.region ?? null,
    has_api_key: config !== null && config.apiKey !== null,
    rate_limits: {
      requests_per_minute: requestsPerMinute,
      tokens_per_minute: tokensPerMinute,
      requests_per_day: requestsPerDay,
    },
    models: models ?? [],
    health: {
      status: statusOf(view),
      last_check: health?.lastCheckAt?.toISOString() ?? null,
      latency_ms: health?.latencyMs ?? null,
      error_rate: health?.errorRate ?? null,
      error: health?.error ?? null,
    },
  };
}

/** One of its models. */
export function toModel(model: ModelView, defaultModel: string | null) {
  const { id, info, configured, capabilities } = model;
  return {
    id,
    display_name: configured?.displayName ?? info?.displayName ?? id,
    aliases: [...(configured?.aliases ?? info?.aliases ?? [])],
    context_window: configured?.contextTokens ?? info?.contextTokens ?? null,
    max_output_tokens: configured?.maxOutputTokens ?? info?.maxOutputTokens ?? capabilities?.maxOutputTokens ?? null,
    // This machine has a name that leads to its own.
    is_default: defaultModel !== null && (id === defaultModel || info?.aliases.includes(defaultModel) === true),
    supports_vision: hasVision(model),
    supports_function_calling: hasTools(model),
    pricing: configured?.pricing ? toPricing(configured.pricing) : null,
  };
}

/** Prices in USD for a thousand tokens. */
export function toPricing(pricing: ModelPricing) {
  return {
    input_per_1k: usdPer1k(pricing.inputPerMillion),
    output_per_1k: usdPer1k(pricing.outputPerMillion),
    reasoning_per_1k: usdPer1k(pricing.reasoningPerMillion),
    cache_read_per_1k: usdPer1k(pricing.cacheReadPerMillion),
    cache_write_per_1k: usdPer1k(pricing.cacheWrite5mPerMillion),
    cache_write_1h_per_1k: usdPer1k(pricing.cacheWrite1hPerMillion),
  };
}

/** Of nano-USD for a million; a number of JSON holds it, as it is only shown. */
function usdPer1k(nanoUsd: bigint): number;
function usdPer1k(nanoUsd: bigint | null): number | null;
function usdPer1k(nanoUsd: bigint | null): number | null {
  return nanoUsd === null ? null : Number(nanoUsd) / 1e12;
}
