import { localProviderId } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { ModelInfo } from '../core/model.ts';
import type { Provider } from '../core/provider.ts';

/** A list of a service is taken as it is for so long. */
const freshMs = 60_000;
/** Whoever lists models waits so long for a service; after that its last known list stands. */
const patienceMs = 2_000;
/** So long a service is listened to, for the next who asks. */
const askMs = 20_000;

interface Known {
  list: ModelInfo[] | null;
  error: AppError | null;
  askedMs: number;
  /** Resolves when an answer is there, or none will be; null: nobody asks at the moment. */
  asking: Promise<void> | null;
}

/**
 * Models of providers: of this machine as they are now; of a service as it last told, asked again after a minute. A service
 * that does not answer delays nobody for longer than two seconds, and keeps its last list.
 */
export function createModelLists(deps: { clock: Clock }) {
  const { clock } = deps;
  // By the provider itself: one that is configured anew is asked anew.
  const known = new WeakMap<Provider, Known>();

  const ask = (provider: Provider): Known => {
    const entry: Known = known.get(provider) ?? { list: null, error: null, askedMs: 0, asking: null };
    known.set(provider, entry);
    const patience = new AbortController();
    const slow = new AppError('upstream_timeout', `${provider.id} does not list its models in time.`);
    const timer = clock.after(askMs, () => patience.abort(slow));
    entry.askedMs = clock.monotonicMs();
    entry.asking = (async () => {
      try {
        entry.list = await provider.models(patience.signal);
        entry.error = null;
      } catch (error) {
        entry.error = toAppError(error);
      } finally {
        timer.cancel();
        entry.asking = null;
      }
    })();
    return entry;
  };

  /** Rejects where nothing is known and nothing comes in time, or when the signal aborts. */
  return async (provider: Provider, signal: AbortSignal): Promise<ModelInfo[]> => {
    if (provider.id === localProviderId) return provider.models(signal);
    const before = known.get(provider);
    const isFresh = before !== undefined && clock.monotonicMs() - before.askedMs < freshMs;
    const entry = before && (before.asking || isFresh) ? before : ask(provider);
    if (entry.asking) await firstOf(entry.asking, clock, signal);
    if (entry.list) return entry.list;
    throw entry.error ?? new AppError('upstream_timeout', `${provider.id} does not list its models in time.`);
  };
}

/** Waits for an answer, for two seconds, or for the client to go. */
async function firstOf(asking: Promise<void>, clock: Clock, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(patienceMs, resolve);
  signal.addEventListener('abort', () => resolve(), { once: true });
  await Promise.race([asking, over]);
  timer.cancel();
  signal.throwIfAborted();
}

/**
 * All lists as one, in which no name stands twice: of two models with the same id the first keeps it, as it is the one that
 * is asked by it, and the other is named with its provider.
 */
export function mergeModels(lists: readonly (readonly ModelInfo[])[]): ModelInfo[] {
  const taken = new Set<string>();
  return lists.flat().flatMap((model) => {
    const id = taken.has(model.id) ? `${model.provider}/${model.id}` : model.id;
    if (taken.has(id)) return [];
    taken.add(id);
    return [{ ...model, id }];
  });
}
