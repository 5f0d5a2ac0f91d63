import {
  type AdmittedAttempt,
  type Attempt,
  type AttemptEnd,
  type AttemptGuard,
  nothingHeld,
} from '../core/attempt.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { promptTokensOf } from '../core/usage.ts';
import {
  createSlidingLimits,
  dimensions,
  type Limits,
  type SlidingLimits,
  type LimitStatus as Status,
  type TakeResult,
} from './sliding-limits.ts';

/** Most that is sent to a provider; null: no limit. */
export type OutboundLimits = Limits;

/** What is left of one limit. */
export interface LimitStatus {
  limit: number;
  remaining: number;
  /** When all of it is there again. */
  resetAt: Date;
}

/** What is left of a provider's limits; null: it has no such limit. */
export type ProviderLimitStatus = Record<keyof Limits, LimitStatus | null>;

/** Keeps to what providers allow, all dimensions at once or not at all: an estimate is taken, and settled by what it was. */
export interface ProviderLimits extends AttemptGuard {
  /** As it was last seen; null: the provider has no limits. */
  status(provider: string): ProviderLimitStatus | null;
  /** Looks at what is left, where others take from the same limits. */
  refresh(): Promise<void>;
  /** Forgets what was sent to a provider. */
  reset(provider: string): Promise<void>;
}

/** `limitsOf`: of a provider as it is configured now; null: none. `sliding`: where they are counted; left out: in this process. */
export function createProviderLimits(deps: {
  clock: Clock;
  limitsOf: (provider: string) => OutboundLimits | null;
  /** Ids of all that are configured. */
  providers?: () => Iterable<string>;
  sliding?: SlidingLimits;
}): ProviderLimits {
  const { clock, limitsOf, sliding = createSlidingLimits(clock) } = deps;

  return {
    admit({ provider: { id }, estimate }: Attempt): AdmittedAttempt | Promise<AdmittedAttempt> {
      const limits = limitsOf(id);
      if (limits === null) return nothingHeld;
      const result = sliding.take([{ id, limits }], estimate.promptTokens + estimate.outputTokens);
      return result instanceof Promise ? result.then((found) => admittedBy(found, id)) : admittedBy(result, id);
    },
    status(provider) {
      const limits = limitsOf(provider);
      if (limits === null) return null;
      const { requestsPerMinute, tokensPerMinute, requestsPerDay } = sliding.status({ id: provider, limits });
      const nowMs = clock.now().getTime();
      const dated = (status: Status | null): LimitStatus | null =>
        status && { limit: status.limit, remaining: status.remaining, resetAt: new Date(nowMs + status.resetMs) };
      return {
        requestsPerMinute: dated(requestsPerMinute),
        tokensPerMinute: dated(tokensPerMinute),
        requestsPerDay: dated(requestsPerDay),
      };
    },
    refresh: () =>
      sliding.refresh(
        [...(deps.providers?.() ?? [])].flatMap((id) => {
          const limits = limitsOf(id);
          return limits === null ? [] : [{ id, limits }];
        }),
      ),
    reset: (provider) => sliding.reset(provider),
  };
}

/** Throws where there was no room. */
function admittedBy(result: TakeResult, provider: string): AdmittedAttempt {
  if ('shortage' in result) {
    const { limit, dimension, retryMs } = result.shortage;
    const { words } = dimensions.find(({ name }) => name === dimension)!;
    throw new AppError('provider_limit_reached', `No more than ${limit} ${words} go to ${provider}.`, {
      retryAfterSeconds: Math.ceil(retryMs / 1_000),
      details: { provider },
    });
  }
  const { taken } = result;
  return {
    ended(end) {
      const tokens = tokensOf(end);
      if (end.outcome === 'not-asked') taken.settle({ requests: 0, tokens: 0 });
      // What nobody told stays estimated.
      else if (tokens !== null) taken.settle({ requests: 1, tokens });
    },
  };
}

/** Tokens that a try took in the end; null: nobody told. */
function tokensOf({ usage, seenOutputTokens }: AttemptEnd): number | null {
  const promptTokens = promptTokensOf(usage);
  return promptTokens === null ? null : promptTokens + (usage.outputTokens ?? seenOutputTokens);
}
