import { isIPv6 } from 'node:net';
import type { CallContext, Principal, RateLimits } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import {
  createSlidingLimits,
  dimensions,
  type Limited,
  type LimitStatus,
  type LimitStatuses,
  type SlidingLimits,
} from './sliding-limits.ts';

/** Keeps each key and each address to what it may ask, all limits of both at once or none. */
export interface InboundLimits {
  /**
   * Takes a request and as many tokens as it may need at most. Rejects with `rate_limited`, with the time after which there is
   * room.
   */
  admit(principal: Principal, estimatedTokens: number): Promise<AdmittedRequest>;
  /** What is left for whoever asks: of each dimension the limit, of key or address, that leaves least. Null: no limits at all. */
  status(principal: Principal): LimitStatuses | null;
}

/** A request that was let in. */
export interface AdmittedRequest {
  /** Tokens that it took in the end; null: nobody told, the estimate stays. */
  settle(tokens: number | null): void;
}

/** Lets a request in, with the most tokens that it may take; rejects with `rate_limited`, before anything else is done. */
export type Admit = (context: CallContext, estimatedTokens: number) => Promise<AdmittedRequest>;

export const notLimited: AdmittedRequest = { settle: () => {} };

/**
 * `limits`: as they are configured now; those of keys count where a key has none of its own. `sliding`: where they are counted;
 * left out: in this process.
 */
export function createInboundLimits(deps: {
  clock: Clock;
  sliding?: SlidingLimits;
  limits: () => { perKey: RateLimits; perAddress: RateLimits };
}): InboundLimits {
  const { clock, sliding = createSlidingLimits(clock) } = deps;

  /** Who has limits here. Where no key is asked for all are one, and only addresses tell them apart. */
  const limitedOf = ({ id, rateLimits, address }: Principal): Limited[] => {
    const { perKey, perAddress } = deps.limits();
    const ofKey = rateLimits ?? perKey;
    const key = id === 'anonymous' || !limitsAnything(ofKey) ? [] : [{ id: `key ${id}`, limits: ofKey }];
    if (address === null || !limitsAnything(perAddress)) return key;
    return [...key, { id: `address ${networkOf(address)}`, limits: perAddress }];
  };

  return {
    async admit(principal, estimatedTokens) {
      const limited = limitedOf(principal);
      if (limited.length === 0) return notLimited;
      const result = await sliding.take(limited, estimatedTokens);
      if ('taken' in result) {
        return { settle: (tokens) => tokens !== null && result.taken.settle({ requests: 1, tokens }) };
      }
      const { of, dimension, limit, retryMs } = result.shortage;
      const { words } = dimensions.find(({ name }) => name === dimension)!;
      const whose = of.id.startsWith('key ') ? 'key' : 'address';
      throw new AppError('rate_limited', `Rate limit exceeded: ${limit} ${words} for this ${whose}.`, {
        retryAfterSeconds: Math.max(1, Math.ceil(retryMs / 1_000)),
        details: { remaining: remainingOf(sliding.status(of), clock) },
      });
    },
    status(principal) {
      const limited = limitedOf(principal);
      return limited.length === 0 ? null : limited.map(sliding.status).reduce(tightest);
    },
  };
}

function limitsAnything(limits: RateLimits): boolean {
  return dimensions.some(({ name }) => limits[name] !== null);
}

function tightest(left: LimitStatuses, right: LimitStatuses): LimitStatuses {
  const of = (name: keyof LimitStatuses): LimitStatus | null => {
    const [one, other] = [left[name], right[name]];
    if (one === null || other === null) return one ?? other;
    return other.remaining < one.remaining ? other : one;
  };
  return {
    requestsPerMinute: of('requestsPerMinute'),
    tokensPerMinute: of('tokensPerMinute'),
    requestsPerDay: of('requestsPerDay'),
  };
}

/** What is left, by the names of the second specification; times are Unix seconds. */
function remainingOf(statuses: LimitStatuses, clock: Pick<Clock, 'now'>): Record<string, number> {
  const { requestsPerMinute, tokensPerMinute, requestsPerDay } = statuses;
  const at = ({ resetMs }: LimitStatus) => Math.ceil((clock.now().getTime() + resetMs) / 1_000);
  const minute = requestsPerMinute ?? tokensPerMinute;
  return {
    ...(requestsPerMinute && { requests_remaining_minute: requestsPerMinute.remaining }),
    ...(tokensPerMinute && { tokens_remaining_minute: tokensPerMinute.remaining }),
    ...(minute && { reset_at_minute: at(minute) }),
    ...(requestsPerDay && { requests_remaining_day: requestsPerDay.remaining, reset_at_day: at(requestsPerDay) }),
  };
}

/** What counts as one address: whoever has one of IPv6 has the 2^64 beside it too. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: gap }, () => '0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
