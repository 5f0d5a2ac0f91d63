import type { CallContext } from './call.ts';
import type { AppError } from './errors.ts';
import type { Provider } from './provider.ts';
import type { Usage } from './usage.ts';

/** One try of a request at one provider. A request that fails over, or is tried again, is several. */
export interface Attempt {
  /** Its own id, not that of its request. */
  id: string;
  provider: Provider;
  /** By the provider's own name of it. */
  model: string;
  operation: 'generate' | 'embed' | 'rank' | 'decide' | 'count';
  /** What it may take at most, as far as is known before: for reservations. */
  estimate: {
    promptTokens: number;
    outputTokens: number;
    /** What the prompt is likely to have taken, for bills where the provider did not come to say it; left out: as the most. */
    likelyPromptTokens?: () => number;
  };
  /** 0 for the first try of its request. */
  index: number;
  /** It goes with others in a batch of its provider's, at the price of batches, and outlives this process. Left out: by itself. */
  isBatched?: boolean;
}

/** How a try went. */
export interface AttemptEnd {
  /**
   * `cancelled`: the client went, or the server wanted it to end. `not-asked`: another guard refused it, so nothing is owed
   * and nothing is to be learned of the provider.
   */
  outcome: 'answered' | 'failed' | 'cancelled' | 'not-asked';
  /** Why it failed; null: it did not. */
  error: AppError | null;
  /** As far as the provider has told, by the end or until it was cut off. */
  usage: Usage;
  /** Output tokens that were seen, where `usage` does not know; an estimate. */
  seenOutputTokens: number;
  /** Part of `seenOutputTokens` that was reasoning. */
  seenReasoningTokens: number;
  /** From when it was asked until the end, in milliseconds. */
  latencyMs: number;
  /** Until the first content; null: there was none. */
  firstContentMs: number | null;
  /** The model as it says it is; null: it did not say. */
  answeredModel: string | null;
}

/**
 * Something that must agree before a provider is asked, and that is told how it went: a circuit breaker, a limit of
 * requests and tokens, a budget, the ledger.
 */
export interface AttemptGuard {
  /**
   * Throws, or rejects with, an `AppError` when the provider must not be asked now; whether another may be asked is the error's
   * `mayFailOver`. Holds nothing after that. A promise only where there is something to wait for: each request passes a handful of
   * guards.
   */
  admit(attempt: Attempt, context: CallContext): AdmittedAttempt | Promise<AdmittedAttempt>;
}

/** Lets go of what was held for a try. */
export interface AdmittedAttempt {
  /** Called once, whatever happens; never throws or rejects. */
  ended(end: AttemptEnd): void | Promise<void>;
  /** The most that it may cost in nano-USD, which is reserved; null: unknown. Left out: this guard keeps no books. */
  mostNanoUsd?: bigint | null;
  /** What it has cost in nano-USD, from the call of `ended` on; null: unknown. Left out: this guard keeps no books. */
  cost?(): bigint | null;
}

/** Of guards that hold nothing and learn nothing. */
export const nothingHeld: AdmittedAttempt = { ended: () => {} };
