import type { BatchLineAnswer, WordedRequest } from './batch-line.ts';
import type { AppError } from './errors.ts';

/** What a key may be used for: answers and lists, or changes of the server. */
export type Scope = 'inference' | 'admin';

export const allScopes: readonly Scope[] = ['inference', 'admin'];

/** Most that may be spent in a day, a week (from Monday) and a month, in nano-USD, UTC; null: no limit of that kind. */
export interface Budget {
  daily: bigint | null;
  weekly: bigint | null;
  monthly: bigint | null;
}

/** Most that is taken from a client; null: no limit. */
export interface RateLimits {
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  requestsPerDay: number | null;
}

/** What the holder of a key may do. */
export interface KeyRights {
  scopes: readonly Scope[];
  /** Names of models that may be asked for; null: all. */
  models: readonly string[] | null;
  /** Whether requests may leave the house. */
  mayUseCloud: boolean;
  /** Null: as all keys. */
  budget: Budget | null;
  rateLimits: RateLimits | null;
}

/** Who asks. Says nothing of the key behind it. */
export interface Principal extends KeyRights {
  /** The same short text for the same key; `anonymous` where no key is asked for. */
  id: string;
  /** Of its key, for people: in lists and in the ledger. */
  name: string;
  /** Whose kept states and texts its requests may use; null: those that all share. */
  cacheOwner: string | null;
  /** Network address that it asks from; null: it is not known. */
  address: string | null;
  /** Of a token: when it ends; left out: a key, or nobody was asked for one. */
  tokenEndsAt?: Date;
}

/** Rights without any bound. */
export const allRights: KeyRights = {
  scopes: allScopes,
  models: null,
  mayUseCloud: true,
  budget: null,
  rateLimits: null,
};

/** Where no key is configured everyone is the same. */
export const anonymous: Principal = {
  ...allRights,
  id: 'anonymous',
  name: 'anonymous',
  cacheOwner: null,
  address: null,
};

/** Id of the provider that is this machine; every other one is outside of the house. */
export const localProviderId = 'local';

/** Where a request may go, as far as its client says. */
export interface RoutingWish {
  /** Id of the provider that must answer; null: those of the chain, or who has the model. */
  provider: string | null;
  /** Name of a configured chain of providers; null: none. */
  chain: string | null;
  /**
   * `never`: must not leave the house, whatever else is said; `allow`: may, when nothing here can answer; `require`: goes to
   * the cloud. Null: nothing is said; it leaves only if its provider, chain or model is one of the cloud.
   */
  cloud: 'never' | 'allow' | 'require' | null;
}

/** The wish of a request that says nothing. */
export const noWish: RoutingWish = { provider: null, chain: null, cloud: null };

/** The wish of a request that stays in the house. */
export const localOnly: RoutingWish = { ...noWish, cloud: 'never' };

/** From what keeps a request in the house to what says nothing of it. */
const strictness: readonly RoutingWish['cloud'][] = ['never', 'require', 'allow', null];

/** What two places say of the same request, such as a header and its body: the stricter of them counts. */
export function stricterCloud(one: RoutingWish['cloud'], other: RoutingWish['cloud']): RoutingWish['cloud'] {
  return strictness.indexOf(one) < strictness.indexOf(other) ? one : other;
}

/** How often and how long providers of the cloud are tried for one request. */
export interface RetryLimits {
  /** Tries in all, over all providers of a chain. */
  maxAttempts: number;
  /** Wait before a second round: a random part of this, doubled each round. */
  baseDelayMs: number;
  /** A provider that wants a longer wait is not tried again. */
  maxDelayMs: number;
}

/** What of the configuration decides where requests go; one request sees one of these from start to end. */
export interface RoutingConfig {
  /** Provider of requests that are marked for the cloud and name none. `local`: there is none. */
  defaultProvider: string;
  /** Whether any request may leave the house. */
  cloudAllowed: boolean;
  /** Chains by name: providers in the order in which they are tried. */
  chains: Readonly<Record<string, readonly string[]>>;
  /** By provider: the model that it is asked for where the request names one that it does not have. */
  defaultModels: Readonly<Record<string, string>>;
  retries: RetryLimits;
  /** Until the first content of an answer, all tries together, where the request has no deadline; null: for ever. */
  requestTimeoutMs: number | null;
}

/** Everything is answered on this machine. */
export const localRouting: RoutingConfig = {
  defaultProvider: localProviderId,
  cloudAllowed: false,
  chains: {},
  defaultModels: {},
  retries: { maxAttempts: 4, baseDelayMs: 500, maxDelayMs: 20_000 },
  requestTimeoutMs: null,
};

/** What is done with a request that goes with others in a batch of a provider's. */
export type BatchedCall =
  /** It is worded and its price reserved, and `decided` is told; whatever it rejects with then is no answer. */
  | { step: 'word'; attemptId: string; decided(how: BatchedWay): void }
  /** What came of it is read. */
  | {
      step: 'read';
      attemptId: string;
      provider: string;
      /** By the provider's own name. */
      model: string;
      /** As it came, or why there is none. */
      answer: BatchLineAnswer | AppError;
    };

/** How a request of a batch goes on its way. */
export type BatchedWay =
  /** By itself, as any request. */
  | { type: 'alone' }
  /** `mostNanoUsd`: what is reserved for it; null: nobody knows what it may cost. */
  | { type: 'worded'; provider: string; model: string; request: WordedRequest; mostNanoUsd: bigint | null };

/** What travels beside a request through gateway and provider. */
export interface CallContext {
  principal: Principal;
  routing: RoutingWish;
  /** The configuration as it was when the request came. */
  config: RoutingConfig;
  /** When the first content must be there, in milliseconds of the clock's `monotonicMs`; null: whenever. */
  deadlineMs: number | null;
  /** Aborted when the client is gone or the server wants the request to end; the reason is an `AppError` if it matters. */
  signal: AbortSignal;
  /** Nobody waits for it: it gives way to whoever does, before it runs and while it does. Left out: somebody waits. */
  isBackground?: boolean;
  /** It goes with others in a batch of a provider's; left out: by itself. */
  batched?: BatchedCall;
  /** For logs and tracing; matches `[A-Za-z0-9_-]{1,64}`. */
  requestId: string;
  /** Other servers of Hearth that it came through, by ids of their processes; left out: none. */
  hops?: readonly string[];
}
