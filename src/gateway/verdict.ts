import type { AttemptEnd } from '../core/attempt.ts';
import type { CallContext } from '../core/call.ts';
import type { ErrorCode } from '../core/errors.ts';

/**
 * What a try failed with; null: it did not. A provider that had half of the time that the configuration gives a whole request or
 * more, and said nothing until that was over, has failed too: its own time-outs never end before such a deadline.
 */
export function failureOf(end: AttemptEnd, { config }: Pick<CallContext, 'config'>): ErrorCode | null {
  const { outcome, error, firstContentMs, latencyMs } = end;
  if (outcome === 'failed') return error?.code ?? null;
  const isLate = outcome === 'cancelled' && error?.code === 'deadline_exceeded' && firstContentMs === null;
  const { requestTimeoutMs } = config;
  return isLate && requestTimeoutMs !== null && latencyMs >= requestTimeoutMs / 2 ? 'upstream_timeout' : null;
}
