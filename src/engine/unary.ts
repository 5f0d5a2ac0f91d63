import { type AppError, toAppError } from '../core/errors.ts';
import { unknownTimings, unknownUsage } from '../core/usage.ts';
import type { RequestMeter } from './metering.ts';
import type { Lease } from './residents/lease.ts';

/**
 * Asks for an answer that comes whole: takes a lease, asks, and asks once more on a fresh worker when the first one
 * dies, as nothing of its answer was seen. Books the waiting, the tokens and the end.
 * Throws what the lease or the worker threw.
 */
export async function askOnce<Result extends { promptTokens: number }>(deps: {
  /** Name for the books. */
  model: string;
  meter: RequestMeter;
  signal: AbortSignal;
  lease: () => Promise<Lease>;
  ask: (lease: Lease) => Promise<Result>;
}): Promise<Result & { model: string }> {
  const { model, meter } = deps;
  for (let attempt = 0; ; attempt++) {
    const lease = await deps.lease();
    meter.leased(lease.waitedMs);
    try {
      const result = await deps.ask(lease);
      meter.started({ type: 'start', model, promptTokens: result.promptTokens, cachedPromptTokens: 0 });
      meter.finished({
        type: 'finish',
        reason: 'stop',
        stopSequence: null,
        usage: { ...unknownUsage, promptTokens: result.promptTokens },
        timings: unknownTimings,
      });
      return { ...result, model };
    } catch (error) {
      const failure: AppError = toAppError(error);
      if (failure.code !== 'worker_crashed' || attempt > 0 || deps.signal.aborted) throw failure;
    }
  }
}
