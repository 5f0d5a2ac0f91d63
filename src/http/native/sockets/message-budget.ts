import type { Clock } from '../../../core/clock.ts';

/**
 * Says whether one more message is within the budget: at most `limit` in any `windowMs`.
 * Messages over the limit are not kept, so the memory is bounded by it.
 */
export function createMessageBudget(clock: Clock, limit: number, windowMs: number): () => boolean {
  const times: number[] = [];
  return () => {
    const nowMs = clock.monotonicMs();
    while (times.length > 0 && nowMs - times[0]! >= windowMs) times.shift();
    if (times.length >= limit) return false;
    times.push(nowMs);
    return true;
  };
}
