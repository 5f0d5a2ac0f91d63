import type { CloudConfig, JwtConfig, ProviderConfig } from '../../../config/providers.ts';
import { redacted } from '../../../config/secret.ts';
import type { Budget, KeyRights, RateLimits } from '../../../core/call.ts';
import { nanoUsdPerUsd } from '../../../core/money.ts';
import { toPricing } from '../providers/providers.ts';

/**
 * The configuration in force as the second specification shows it, by the names of the file. Secrets are not in what is
 * read here: whether there is one is all that is told. `capabilitiesOf`: of a provider, as its own list has them.
 */
export function toConfigAnswer<Capabilities>(
  cloud: CloudConfig,
  capabilitiesOf: (id: string) => Capabilities,
  isOn: (id: string) => boolean,
) {
  const { retries, caching, budget, keyBudget, rateLimits } = cloud;
  return {
    version: cloud.version,
    global: {
      cloud: cloud.cloudAllowed ? ('allow' as const) : ('forbid' as const),
      default_provider: cloud.defaultProvider,
      default_model: cloud.defaultModel,
      request_timeout: cloud.requestTimeoutMs / 1_000,
      max_retries: retries.maxAttempts - 1,
      health_probes: cloud.healthProbes,
      enable_caching: caching.enabled,
      cache_ttl: caching.ttlSeconds,
    },
    providers: Object.fromEntries(
      [...cloud.providers.values()].map((provider) => [
        provider.id,
        { ...toProvider(provider), enabled: isOn(provider.id), capabilities: capabilitiesOf(provider.id) },
      ]),
    ),
    failover_chains: Object.fromEntries(
      Object.entries(cloud.chains).map(([name, { providers }]) => [name, [...providers]]),
    ),
    rate_limits: { per_key: toRateLimits(rateLimits.perKey), per_address: toRateLimits(rateLimits.perAddress) },
    budgets: {
      ...toBudget(budget),
      per_key: toBudget(keyBudget),
      alert_at: cloud.alertAt,
      unknown_prices: cloud.unknownPricesAllowed ? ('allow' as const) : ('refuse' as const),
    },
    ledger: { keep_days: cloud.ledgerKeepDays },
    keys: cloud.keys.map((key) => ({
      name: key.name,
      key: redacted,
      expires: key.expiresAt?.toISOString() ?? null,
      ...toRights(key),
      rate_limits: key.rateLimits && toRateLimits(key.rateLimits),
      budget: key.budget && toBudget(key.budget),
    })),
    jwt: cloud.jwt && toJwt(cloud.jwt),
  };
}

function toRights({ scopes, models, mayUseCloud }: KeyRights) {
  return { scopes: [...scopes], models: models && [...models], cloud: mayUseCloud };
}

/** The keys of a file are not shown, only that they are from one. */
function toJwt(jwt: JwtConfig) {
  return {
    issuer: jwt.issuer,
    audience: [...jwt.audiences],
    jwks_url: 'url' in jwt.keys ? jwt.keys.url : null,
    algorithms: [...jwt.algorithms],
    ...toRights(jwt),
  };
}

function toProvider({ timeouts, ...config }: ProviderConfig) {
  return {
    type: config.type,
    preset: config.preset,
    display_name: config.displayName,
    base_url: config.baseUrl,
    api_key: config.apiKey === null ? null : redacted,
    api_version: config.apiVersion,
    region: config.region,
    headers: Object.fromEntries(Object.keys(config.headers).map((name) => [name, redacted])),
    first_byte_timeout: timeouts.firstByteMs / 1_000,
    idle_timeout: timeouts.idleMs / 1_000,
    timeout: timeouts.totalMs === null ? null : timeouts.totalMs / 1_000,
    models: config.models.map((model) => ({
      id: model.id,
      aliases: [...model.aliases],
      display_name: model.displayName,
      context_window: model.contextTokens,
      max_output_tokens: model.maxOutputTokens,
      is_default: model.isDefault,
      pricing: model.pricing ? toPricing(model.pricing) : null,
    })),
    rate_limits: toRateLimits(config.rateLimits),
    batch: config.batch,
  };
}

function toRateLimits({ requestsPerMinute, tokensPerMinute, requestsPerDay }: RateLimits) {
  return {
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    requests_per_day: requestsPerDay,
  };
}

/** Only shown, so a number of JSON is exact enough. */
function toBudget({ daily, weekly, monthly }: Budget) {
  const usd = (nanoUsd: bigint | null) => (nanoUsd === null ? null : Number(nanoUsd) / Number(nanoUsdPerUsd));
  return { daily: usd(daily), weekly: usd(weekly), monthly: usd(monthly) };
}
