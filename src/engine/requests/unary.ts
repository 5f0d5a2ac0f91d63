import { toAppError } from '../../core/errors.ts';
import type { Lease } from '../residents/residents.ts';

/**
 * Asks for an answer that comes whole: takes a lease, asks, and asks once more on a fresh worker when the first one
 * dies, as nothing of its answer was seen. Throws what the lease or the worker threw.
 */
export async function askWithRetry<Result>(
  lease: () => Promise<Lease>,
  signal: AbortSignal,
  ask: (lease: Lease) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    const taken = await lease();
    try {
      return await ask(taken);
    } catch (error) {
      const failure = toAppError(error);
      if (failure.code !== 'worker_crashed' || attempt > 0 || signal.aborted) throw failure;
    }
  }
}
