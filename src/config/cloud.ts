import { readFileSync } from 'node:fs';
import { localRouting, type RetryLimits } from '../core/call.ts';
import { systemClock } from '../core/clock.ts';
import type { BudgetSettings, CloudSettings, ProviderSettings, RateLimitSettings } from './cloud-settings.ts';
import { presetNames } from './cloud-settings.ts';
import { ConfigError } from './config-error.ts';
import { readPriceList } from './price-list.ts';
import { toPricings } from './pricing.ts';
import type { Problems } from './problems.ts';
import {
  type Budget,
  type CloudConfig,
  type CloudModelConfig,
  type JwtConfig,
  type KeyConfig,
  ownMachinePresets,
  type ProviderConfig,
  type ProviderPreset,
  type ProviderTimeouts,
  type ProviderType,
  type RateLimits,
} from './providers.ts';
import { type Secret, secret } from './secret.ts';
import { isSendableKey } from './values.ts';

/** Seed 002's request_timeout, where nothing else is said. */
const defaultRequestTimeoutMs = 60_000;
/** A year, and what is needed to close its books. */
const defaultLedgerKeepDays = 400;
/** Those that issuers sign with today. */
const defaultJwtAlgorithms = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
const defaultTimeouts: ProviderTimeouts = { firstByteMs: 60_000, idleMs: 120_000, totalMs: null };

/** Reads a file that a key is kept in. */
type ReadText = (filePath: string) => string;

const readText: ReadText = (filePath) => readFileSync(filePath, 'utf8');

/**
 * Makes the server's own words of the sections of the file. Reads the files that keys are kept in, by absolute
 * paths, with `read`. What does not fit together goes to `problems`, with the path in the file, and is left out.
 */
export function toCloudConfig(settings: CloudSettings, problems: Problems, read: ReadText = readText): CloudConfig {
  const { global } = settings;
  const providers = new Map(
    Object.entries(settings.providers ?? {}).flatMap(([id, provider]) => {
      const made = problems.attempt('providers', () => toProvider(id, provider, read));
      return made === undefined ? [] : [[id, made] as const];
    }),
  );
  const config: CloudConfig = {
    version: settings.version ?? '1.0',
    cloudAllowed: global?.cloud !== 'forbid',
    defaultProvider: global?.default_provider ?? null,
    defaultModel: global?.default_model ?? null,
    requestTimeoutMs: global?.request_timeout ?? defaultRequestTimeoutMs,
    retries: { ...localRouting.retries, ...retriesOf(global?.max_retries) },
    healthProbes: global?.health_probes ?? true,
    caching: { enabled: global?.enable_caching ?? false, ttlSeconds: global?.cache_ttl ?? 0 },
    providers,
    chains: settings.failover_chains ?? {},
    budget: toBudget(settings.budgets),
    keyBudget: toBudget(settings.budgets?.per_key),
    alertAt: settings.budgets?.alert_at ?? 0.85,
    unknownPricesAllowed: settings.budgets?.unknown_prices === 'allow',
    priceList: problems.attempt('budgets', () => readPriceList(settings.budgets?.price_list_file)) ?? null,
    rateLimits: {
      perKey: toRateLimits(settings.rate_limits?.per_key),
      perAddress: toRateLimits(settings.rate_limits?.per_address),
    },
    keys: (settings.keys ?? []).flatMap((key, index) => problems.attempt('keys', () => toKey(key, index, read)) ?? []),
    // Of what is left out nobody can say that it is missing.
    jwt:
      (settings.jwt && problems.areWhole('jwt') && problems.attempt('jwt', () => toJwt(settings.jwt!, read))) || null,
    ledgerKeepDays: settings.ledger?.keep_days ?? defaultLedgerKeepDays,
  };
  checkNames(config, problems);
  return config;
}

/** What works and is likely a mistake, in sentences. `now`: the time of the clock. */
export function warningsOf(config: CloudConfig, now: Date = systemClock.now()): string[] {
  const all = [...config.providers.values()];
  return [
    ...config.keys
      .filter(({ expiresAt }) => expiresAt !== null && expiresAt <= now)
      .map(({ name }) => `Key '${name}' has expired`),
    ...all
      .filter(({ models, preset }) => models.length === 0 && !ownMachinePresets.includes(preset))
      .map(({ id }) => `Provider '${id}' has no models configured`),
    ...all.flatMap(({ id, type, baseUrl }) => {
      const path = baseUrl === null ? null : new URL(baseUrl).pathname;
      if (type === 'openai-compatible' && path === '/') {
        return [`Provider '${id}' has a base_url without a path: most servers have this API at /v1`];
      }
      if (type === 'anthropic' && path === '/v1') {
        return [`Provider '${id}' has a base_url that ends with /v1, which is asked for beyond it`];
      }
      return [];
    }),
    ...all
      .filter(({ enabled, apiKey, type, preset }) => enabled && apiKey === null && needsKey(type, preset))
      .map(({ id }) => `Provider '${id}' has no api_key`),
    ...all.flatMap(({ id, models }) =>
      models.filter(({ pricing }) => pricing === null).map((model) => `Model '${model.id}' of '${id}' has no price`),
    ),
    ...all
      .filter(({ models }) => models.filter(({ isDefault }) => isDefault).length > 1)
      .map(({ id }) => `Provider '${id}' has several models with is_default; the first one counts`),
    ...(config.caching.enabled ? ['global.enable_caching has no effect: answers are never kept'] : []),
    ...(all.some(({ enabled }) => enabled) && isZero(config.budget)
      ? ['Nothing may be spent: set budgets.daily, weekly or monthly to use models that cost money']
      : []),
  ];
}

function isZero({ daily, weekly, monthly }: Budget): boolean {
  return daily === null && weekly === null && monthly === null;
}

function needsKey(type: ProviderType, preset: ProviderPreset | null): boolean {
  const hosted: readonly (ProviderPreset | null)[] = ['openai', 'gemini', 'deepseek', 'qwen'];
  return type === 'anthropic' || (type === 'openai-compatible' && hosted.includes(preset));
}

function retriesOf(maxRetries: number | undefined): Partial<RetryLimits> {
  return maxRetries === undefined ? {} : { maxAttempts: maxRetries + 1 };
}

function toProvider(id: string, settings: ProviderSettings, read: ReadText): ProviderConfig {
  const { type, preset } = kindOf(id, settings);
  if (settings.base_url === undefined && preset !== null && isSelfHosted(preset)) {
    throw new ConfigError(`providers.${id}.base_url: must be set, as there is no such service at a known address`);
  }
  return {
    id,
    type,
    preset,
    enabled: settings.enabled ?? true,
    displayName: settings.display_name ?? id,
    baseUrl: settings.base_url?.replace(/\/+$/, '') ?? null,
    apiKey: readSecret({ text: settings.api_key, filePath: settings.api_key_file }, `providers.${id}.api_key`, read),
    apiVersion: settings.api_version ?? null,
    region: settings.region ?? null,
    headers: Object.fromEntries(Object.entries(settings.headers ?? {}).map(([name, text]) => [name, secret(text)])),
    models: (settings.models ?? []).map(toModel),
    rateLimits: toRateLimits(settings.rate_limits),
    timeouts: {
      firstByteMs: settings.first_byte_timeout ?? defaultTimeouts.firstByteMs,
      idleMs: settings.idle_timeout ?? defaultTimeouts.idleMs,
      totalMs: settings.timeout ?? defaultTimeouts.totalMs,
    },
    batch: settings.batch ?? 'auto',
    capabilities: saidOf(settings.capabilities),
  };
}

function saidOf(settings: ProviderSettings['capabilities'] = {}): Record<string, boolean> {
  const said = Object.entries(settings).filter((entry): entry is [string, boolean] => entry[1] !== undefined);
  return Object.fromEntries(said);
}

function isSelfHosted(preset: ProviderPreset): boolean {
  return preset === 'vllm' || preset === 'custom' || preset === 'hearth';
}

/** How it is spoken to: as it says, or as its name does. */
function kindOf(id: string, { type, preset, base_url: baseUrl }: ProviderSettings) {
  const presets: readonly string[] = presetNames;
  const said = type ?? (preset ? 'openai-compatible' : id);
  if (said === 'anthropic' || said === 'bedrock') {
    if (preset) throw new ConfigError(`providers.${id}.preset: only providers of the type openai-compatible have one`);
    return { type: said, preset: null } as const;
  }
  if (type !== undefined && preset && type !== 'openai-compatible' && type !== preset) {
    throw new ConfigError(`providers.${id}.preset: is another one than its type, ${type}: set only one of them`);
  }
  if (presets.includes(said)) return { type: 'openai-compatible', preset: said as ProviderPreset } as const;
  if (said === 'openai-compatible' || baseUrl !== undefined) {
    return { type: 'openai-compatible', preset: preset ?? 'custom' } as const;
  }
  throw new ConfigError(`providers.${id}.type: must be set, as "${id}" does not tell how it is spoken to`);
}

function toModel(settings: NonNullable<ProviderSettings['models']>[number]): CloudModelConfig {
  return {
    id: settings.id,
    aliases: settings.aliases ?? [],
    displayName: settings.display_name ?? null,
    contextTokens: settings.context_window ?? null,
    maxOutputTokens: settings.max_output_tokens ?? null,
    isDefault: settings.is_default ?? false,
    supportsVision: settings.supports_vision ?? null,
    supportsTools: settings.supports_function_calling ?? null,
    ...toPricings(settings.pricing, settings.pricing_changes),
  };
}

function toBudget(settings: BudgetSettings | null | undefined): Budget {
  return { daily: settings?.daily ?? null, weekly: settings?.weekly ?? null, monthly: settings?.monthly ?? null };
}

function toRateLimits(settings: RateLimitSettings | undefined): RateLimits {
  return {
    requestsPerMinute: settings?.requests_per_minute ?? null,
    tokensPerMinute: settings?.tokens_per_minute ?? null,
    requestsPerDay: settings?.requests_per_day ?? null,
  };
}

function toKey(settings: NonNullable<CloudSettings['keys']>[number], index: number, read: ReadText): KeyConfig {
  const key = readSecret({ text: settings.key, filePath: settings.key_file }, `keys.${index}.key`, read);
  if (key === null) throw new ConfigError(`keys.${index}: needs a key, or a key_file`);
  return {
    name: settings.name,
    key,
    scopes: settings.scopes ?? ['inference'],
    expiresAt: settings.expires ?? null,
    models: settings.models ?? null,
    mayUseCloud: settings.cloud ?? true,
    budget: settings.budget ? toBudget(settings.budget) : null,
    rateLimits: settings.rate_limits ? toRateLimits(settings.rate_limits) : null,
  };
}

function toJwt(settings: NonNullable<CloudSettings['jwt']>, read: ReadText): JwtConfig {
  const { jwks_file: file, jwks_url: url } = settings;
  if ((file === undefined) === (url === undefined)) {
    throw new ConfigError('jwt: needs a jwks_file or a jwks_url, and not both');
  }
  return {
    issuer: settings.issuer,
    audiences: settings.audience,
    keys: file === undefined ? { url: url! } : { jwks: readFile(file, 'jwt.jwks_file', read) },
    algorithms: settings.algorithms ?? defaultJwtAlgorithms,
    scopes: settings.scopes ?? ['inference'],
    models: settings.models ?? null,
    mayUseCloud: settings.cloud ?? true,
    budget: null,
    rateLimits: null,
  };
}

function readFile(filePath: string, place: string, read: ReadText): string {
  try {
    return read(filePath);
  } catch (error) {
    throw new ConfigError(`${place}: ${filePath} cannot be read`, { cause: error });
  }
}

function readSecret(
  { text, filePath }: { text: string | undefined; filePath: string | undefined },
  place: string,
  read: ReadText,
): Secret | null {
  if (text !== undefined && filePath !== undefined) {
    throw new ConfigError(`${place}: is set beside ${place.split('.').at(-1)}_file: set only one of them`);
  }
  if (filePath === undefined) return text === undefined ? null : secret(text);
  const key = readFile(filePath, `${place}_file`, read).trim();
  if (isSendableKey(key)) return secret(key);
  const problem = key === '' ? 'is empty' : 'must hold one line of ASCII characters without blanks';
  throw new ConfigError(`${place}_file: ${filePath} ${problem}`);
}

function checkNames(config: CloudConfig, problems: Problems): void {
  const exists = (id: string) => id === 'local' || config.providers.has(id);
  const { defaultProvider } = config;
  // Of providers that are left out nobody knows the names.
  if (problems.areWhole('providers')) {
    if (defaultProvider !== null && !exists(defaultProvider)) {
      problems.add(`global.default_provider: there is no provider "${defaultProvider}"`);
    }
    for (const [name, { providers }] of Object.entries(config.chains)) {
      for (const id of providers.filter((one) => !exists(one))) {
        problems.add(`failover_chains.${name}: there is no provider "${id}"`);
      }
    }
  }
  for (const { id, models } of config.providers.values()) {
    const twice = firstTwice(models.flatMap((model) => [...new Set([model.id, ...model.aliases])]));
    if (twice !== undefined) problems.add(`providers.${id}.models: the name "${twice}" is there twice`);
  }
  const twice = firstTwice(config.keys.map(({ name }) => name));
  if (twice !== undefined) problems.add(`keys: the name "${twice}" is there twice`);
}

function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}
