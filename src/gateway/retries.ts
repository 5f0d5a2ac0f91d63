import type { RetryLimits } from '../core/call.ts';
import type { AppError } from '../core/errors.ts';

/** Shared by all requests: retries may be this part of them, so that an outage is not answered by several times the load. */
const retriesPerRequest = 0.2;
/** So many are there beforehand, for a server that is asked seldom. */
const reserve = 10;

/** Counts retries against requests. */
export interface RetryBudget {
  /** A request came. */
  earn(): void;
  /** Takes one retry; false: there is none left. */
  spend(): boolean;
}

export function createRetryBudget(): RetryBudget {
  let left = reserve;
  return {
    earn() {
      left = Math.min(reserve, left + retriesPerRequest);
    },
    spend() {
      if (left < 1) return false;
      left--;
      return true;
    },
  };
}

/**
 * How long to wait, in milliseconds, before those are asked again that failed so; null: it is of no use. A random part of a
 * time that doubles with each round (full jitter), or what a provider asked for if that is longer.
 */
export function retryDelayMs(
  failures: readonly AppError[],
  options: { round: number; limits: RetryLimits; random: () => number },
): number | null {
  const { round, limits, random } = options;
  const waits = failures
    .filter(({ retryable }) => retryable)
    .map(({ retryAfterSeconds }) => (retryAfterSeconds ?? 0) * 1_000)
    .filter((waitMs) => waitMs <= limits.maxDelayMs);
  if (waits.length === 0) return null;
  const jitterMs = random() * Math.min(limits.maxDelayMs, limits.baseDelayMs * 2 ** round);
  return Math.max(Math.min(...waits), jitterMs);
}
