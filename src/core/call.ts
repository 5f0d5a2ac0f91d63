/** Who asks. Says nothing of the key behind it. */
export interface Principal {
  /** The same short text for the same key; `anonymous` where no key is asked for. */
  id: string;
  /** Whose kept states and texts its requests may use; null: those that all share. */
  cacheOwner: string | null;
}

/** Where no key is configured everyone is the same. */
export const anonymous: Principal = { id: 'anonymous', cacheOwner: null };

/** Id of the provider that is this machine; every other one is outside of the house. */
export const localProviderId = 'local';

/** Where a request may go, as far as its client says. */
export interface RoutingWish {
  /** Id of the provider that must answer; null: those of the chain, or the configured default. */
  provider: string | null;
  /** Name of a configured chain of providers; null: none. */
  chain: string | null;
  /** `never`: must not leave the house; `allow`: may, when nothing here can answer; `require`: goes to the cloud. */
  cloud: 'never' | 'allow' | 'require';
}

/** The wish of a request that says nothing: it stays in the house. */
export const localOnly: RoutingWish = { provider: null, chain: null, cloud: 'never' };

/** What of the configuration decides where requests go; one request sees one of these from start to end. */
export interface RoutingConfig {
  /** Provider that answers where the request names none. */
  defaultProvider: string;
  /** Whether any request may leave the house. */
  cloudAllowed: boolean;
  /** Chains by name: providers in the order in which they are tried. */
  chains: Readonly<Record<string, readonly string[]>>;
}

/** What travels beside a request through gateway and provider. */
export interface CallContext {
  principal: Principal;
  routing: RoutingWish;
  /** The configuration as it was when the request came. */
  config: RoutingConfig;
  /** When the answer must be there, in milliseconds of the clock's `monotonicMs`; null: whenever. */
  deadlineMs: number | null;
  /** Aborted when the client is gone or the server wants the request to end; the reason is an `AppError` if it matters. */
  signal: AbortSignal;
  /** For logs and tracing; matches `[A-Za-z0-9_-]{1,64}`. */
  requestId: string;
}
