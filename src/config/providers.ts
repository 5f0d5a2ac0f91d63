import type { Budget, KeyRights, RateLimits, RetryLimits, Scope } from '../core/call.ts';
import type { Secret } from './secret.ts';

export type { Budget, RateLimits } from '../core/call.ts';

/**
 * What the configuration says of sources of answers beside this machine, read and checked: the sections `global`,
 * `providers` and `failover_chains` of the file. Money is in nano-USD (1e-9 USD) as a bigint; null is unknown, never 0.
 */

/** How a provider is spoken to. */
export type ProviderType = 'anthropic' | 'bedrock' | 'openai-compatible';

/** Services of the type `openai-compatible` that differ in address, names of fields or faults. */
export type ProviderPreset =
  | 'openai'
  | 'gemini'
  | 'deepseek'
  | 'qwen'
  | 'vllm'
  | 'llama-server'
  | 'ollama'
  | 'hearth'
  | 'custom';

/** Those that run on machines of the owner: what they list is what was put there, and without a price it costs nothing. */
export const ownMachinePresets: readonly (ProviderPreset | null)[] = ['vllm', 'llama-server', 'ollama', 'hearth'];

/** One provider of the file. */
export interface ProviderConfig {
  /** Its name in the file, in `X-Provider` and in chains: `[a-z0-9][a-z0-9_-]{0,63}`, never `local`. */
  id: string;
  type: ProviderType;
  /** Only of the type `openai-compatible`. */
  preset: ProviderPreset | null;
  enabled: boolean;
  displayName: string;
  /** Without a slash at its end; null: that of the type or preset. */
  baseUrl: string | null;
  /** Null: none; of `bedrock` that is the bearer key, and the default chain of AWS counts where there is none. */
  apiKey: Secret | null;
  /** Version of its API that requests name where their client names none; null: as the type has it. */
  apiVersion: string | null;
  /** AWS region; null: as the default chain of AWS finds it. */
  region: string | null;
  /** Headers that each request to it carries, such as a tenant's. Their values may be secrets. */
  headers: Readonly<Record<string, Secret>>;
  /** In the order of the file; the default one is the first that says so, else the first. */
  models: readonly CloudModelConfig[];
  rateLimits: ProviderRateLimits;
  timeouts: ProviderTimeouts;
  batch: BatchUse;
  /** What seed 002 calls `capabilities`, as the file has it; left out: as the type has it. */
  capabilities: Readonly<Record<string, boolean>>;
}

/** Whether batches go to its own batch API: where it is known to have one, although that is not known, or never. */
export type BatchUse = 'auto' | 'on' | 'off';

/** A model of a provider, as the file names it. */
export interface CloudModelConfig {
  /** The provider's own id of it (an ARN or inference profile too). */
  id: string;
  /** Names beside it by which clients ask for it. */
  aliases: readonly string[];
  displayName: string | null;
  /** Null: unknown, or as the capability table has it. */
  contextTokens: number | null;
  maxOutputTokens: number | null;
  isDefault: boolean;
  /** As the file says; null: as the capability table has it. */
  supportsVision: boolean | null;
  supportsTools: boolean | null;
  /** The one in force last; null: unknown. */
  pricing: ModelPricing | null;
  /** Those before and after, each from its day on, oldest first; left out: there is but one. */
  pricings?: readonly ModelPricing[];
}

/** Prices in nano-USD per million tokens; null: unknown. */
export interface TokenPrices {
  inputPerMillion: bigint;
  outputPerMillion: bigint;
  /** Of the part of the output that is reasoning; null: as all output. */
  reasoningPerMillion: bigint | null;
  cacheReadPerMillion: bigint | null;
  cacheWrite5mPerMillion: bigint | null;
  cacheWrite1hPerMillion: bigint | null;
}

/** By what a price is multiplied, exactly: 1.1 is 11 tenths. */
export interface PriceFactor {
  numerator: bigint;
  denominator: bigint;
}

/** List prices of a model: those of the usual class of service, wherever it is computed. What is left out is as usual for its kind. */
export interface ModelPricing extends TokenPrices {
  /** From when on they count; left out: always. */
  from?: Date;
  /** In force for a whole request whose prompt, caches included, is longer. */
  longContext?: { aboveTokens: number; prices: TokenPrices };
  /** Of other classes of service, by the name under which they are served (`batch`, `flex`, `priority`, `fast`). */
  tiers?: Readonly<Record<string, TokenPrices | PriceFactor>>;
  /** Where the place is confined to a region. */
  regionalFactor?: PriceFactor;
  /** In nano-USD for one use of a tool of the provider, by the name in its usage. */
  toolUses?: Readonly<Record<string, bigint>>;
}

/** Most that is sent to a provider; null: no limit is known. */
export interface ProviderRateLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestsPerDay: number | null;
}

export interface ProviderTimeouts {
  /** Until its first byte. */
  firstByteMs: number;
  /** Between two pieces of its answer. */
  idleMs: number;
  /** Of a whole answer; null: none. */
  totalMs: number | null;
}

/** A chain of the file. */
export interface FailoverChain {
  /** Ids of providers, `local` among them, in the order in which they are tried. */
  providers: readonly string[];
  description: string;
}

/** Everything that the configuration says of other sources of answers, and of who may use how much of them. */
export interface CloudConfig {
  /** Of the format, as the file says it. */
  version: string;
  /** Whether any request may leave the house. */
  cloudAllowed: boolean;
  /** Provider of requests that are marked for the cloud and name none; null: there is none. */
  defaultProvider: string | null;
  /** Its model where a request names none; null: the provider's own default. */
  defaultModel: string | null;
  /** Until the first content of an answer, in milliseconds. */
  requestTimeoutMs: number;
  retries: RetryLimits;
  /** Whether a provider of which nothing is known is asked for its list of models when somebody looks at its health. */
  healthProbes: boolean;
  /** As the file has them: they are shown, and nothing is kept. */
  caching: { enabled: boolean; ttlSeconds: number };
  /** By id, in the order of the file; those that are off too. */
  providers: ReadonlyMap<string, ProviderConfig>;
  chains: Readonly<Record<string, FailoverChain>>;
  /** Of all requests together. With no limit of any kind nothing may be spent. */
  budget: Budget;
  /** Of each key that has none of its own. */
  keyBudget: Budget;
  /** Share of a budget, 0 to 1, from which on a warning is shown. */
  alertAt: number;
  /** Whether models may be asked whose price nobody knows. */
  unknownPricesAllowed: boolean;
  /** Prices of models for which the file has none; null: none were imported. */
  priceList: PriceList | null;
  /** What one key, and one address, may ask; null: no limit. */
  rateLimits: { perKey: RateLimits; perAddress: RateLimits };
  /** Keys of the file, beside those of `server.api_key` and those that are made by `hearth key create`. */
  keys: readonly KeyConfig[];
  /** Null: no tokens are taken. */
  jwt: JwtConfig | null;
  /** Rows of the ledger are kept so long, and after that as sums of days. */
  ledgerKeepDays: number;
}

/** Prices that were imported, by the id of the model, without those of a provider's in front. */
export type PriceList = Readonly<Record<string, ModelPricing>>;

/** A key of the file. */
export interface KeyConfig extends KeyRights {
  /** For people, in the ledger and in lists. */
  name: string;
  key: Secret;
  /** Null: never. */
  expiresAt: Date | null;
}

/** Whose tokens (JWT) are taken beside keys. */
export interface JwtConfig extends KeyRights {
  /** Exactly as tokens say it. */
  issuer: string;
  /** Tokens must be meant for one of these. */
  audiences: readonly string[];
  /** Where the keys of the issuer are: the text of a JWKS that was read from a file, or an address. */
  keys: { jwks: string } | { url: string };
  /** Of signatures; never symmetric ones. */
  algorithms: readonly string[];
  /** Those of tokens whose `scope` says none of ours. */
  scopes: readonly Scope[];
}
