import { type Attempt, type AttemptGuard, nothingHeld } from '../core/attempt.ts';
import type { Bus } from '../observe/bus.ts';
import type { LimitStatus, ProviderLimits } from './provider-limits.ts';

/** Share of a limit below which little is left. */
const lowShare = 0.1;

/**
 * Tells when little is left of what may be sent to a provider: once, until there is more again. Refuses nothing; it stands
 * behind the limits, so that what a try takes is taken.
 */
export function createLimitWatch(deps: {
  limits: Pick<ProviderLimits, 'status'>;
  bus: Pick<Bus, 'publish'>;
}): AttemptGuard {
  const low = new Set<string>();
  const look = (provider: string, name: string, { limit, remaining, resetAt }: LimitStatus) => {
    const isLow = remaining < limit * lowShare;
    // Mostly nothing is, and every try comes here.
    if (!isLow && low.size === 0) return;
    const key = `${provider} ${name}`;
    if (!isLow) low.delete(key);
    else if (!low.has(key)) {
      low.add(key);
      deps.bus.publish({ type: 'provider-limit-low', provider, limit, remaining, resetAt });
    }
  };
  return {
    admit({ provider }: Attempt) {
      for (const [name, status] of Object.entries(deps.limits.status(provider.id) ?? {})) {
        if (status !== null) look(provider.id, name, status);
      }
      return nothingHeld;
    },
  };
}
