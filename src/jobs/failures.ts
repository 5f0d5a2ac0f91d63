import type { ErrorCode } from '../core/errors.ts';
import type { ItemAnswer } from './batch.ts';
import type { LeasedItem } from './items.ts';

/** Failures that say nothing of the item: it is asked for again until it is out of time. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'client_closed_request',
  'queue_full',
  'shutting_down',
  'memory_pressure',
  'model_busy',
  'rate_limited',
  'provider_limit_reached',
  'circuit_open',
  'storage_unavailable',
]);
/** What keeps an item that may be asked for here out of the cloud. */
const keepsHome: ReadonlySet<ErrorCode> = new Set(['budget_exceeded', 'forbidden']);
/** So often an item may fail in another way that may pass. */
const mostAttempts = 4;
export const firstWaitMs = 1_000;
const longestWaitMs = 300_000;

export function isPassing(code: ErrorCode): boolean {
  return passing.has(code);
}

/** Whether the budget has room as soon as requests have ended that run now: it then says when to ask again. */
export function isHeldByOthers({ code, retryAfterSeconds }: NonNullable<ItemAnswer['failure']>): boolean {
  return code === 'budget_exceeded' && retryAfterSeconds !== null;
}

/** Whether an item that was to be asked for in the cloud is asked for here all the same. */
export function goesHome({ isSpilled }: Pick<LeasedItem, 'isSpilled'>, failure: ItemAnswer['failure']): boolean {
  return isSpilled && failure !== null && keepsHome.has(failure.code);
}

/** Milliseconds until an item that failed is asked for again; null: it has failed for good. */
export function waitFor(
  item: Pick<LeasedItem, 'attempts'>,
  failure: NonNullable<ItemAnswer['failure']>,
): number | null {
  if (!failure.retryable && !passing.has(failure.code)) return null;
  if (!passing.has(failure.code) && item.attempts + 1 >= mostAttempts) return null;
  // The server ends: its turn comes again at once.
  if (failure.code === 'client_closed_request') return 0;
  return Math.max(waitOf(item), (failure.retryAfterSeconds ?? 0) * 1_000);
}

export function waitOf({ attempts }: Pick<LeasedItem, 'attempts'>): number {
  return Math.min(longestWaitMs, firstWaitMs * 2 ** attempts);
}
