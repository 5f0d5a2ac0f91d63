import type { ChatRequest } from '../core/chat.ts';
import type { EmbeddingRequest, EmbeddingResult, RankRequest, RankResult } from '../core/embedding.ts';
import { AppError, toAppError } from '../core/errors.ts';
import type { StreamEvent } from '../core/events.ts';
import type { CallContext, Provider } from '../core/provider.ts';

/** An answer that has begun: which provider and model give it, and its events from the first one on. */
export interface BegunAnswer {
  providerId: string;
  model: string;
  events: AsyncIterable<StreamEvent>;
}

/** The one door between dialects and providers. */
export interface Gateway {
  /**
   * Starts an answer and waits for its `start` event. Rejects with an `AppError` while the dialect can still choose a
   * status line; after that a failure is thrown by `events`. Whoever gets the answer must iterate `events` or return
   * its iterator, or the slot stays taken until the signal aborts.
   */
  stream(request: ChatRequest, context: CallContext): Promise<BegunAnswer>;
  /** Vectors of texts. Rejects with an `AppError`, `not_supported` where the provider has none. */
  embed(request: EmbeddingRequest, context: CallContext): Promise<EmbeddingResult & { providerId: string }>;
  /** Scores of documents; otherwise as `embed`. */
  rank(request: RankRequest, context: CallContext): Promise<RankResult & { providerId: string }>;
}

/** `providers`: by id. Requests that are not marked otherwise go to `local`. */
export function createGateway(deps: { providers: ReadonlyMap<string, Provider> }): Gateway {
  const choose = (): Provider => {
    const provider = deps.providers.get('local');
    if (!provider) throw new AppError('internal_error', 'The local provider is missing.');
    return provider;
  };
  return {
    async stream(request, context) {
      const provider = choose();
      const iterator = provider.stream(request, context)[Symbol.asyncIterator]();
      try {
        let first = await iterator.next();
        // Progress before the start is of use only to dialects that can show it; a status line is worth more.
        while (!first.done && first.value.type === 'progress') first = await iterator.next();
        if (first.done || first.value.type !== 'start')
          throw new Error(`provider ${provider.id} began without a start`);
        return { providerId: provider.id, model: first.value.model, events: resume(first.value, iterator) };
      } catch (error) {
        await iterator.return?.();
        throw toAppError(error);
      }
    },
    async embed(request, context) {
      const provider = choose();
      if (!provider.embed) throw lacking(provider, 'embeddings');
      return { ...(await provider.embed(request, context)), providerId: provider.id };
    },
    async rank(request, context) {
      const provider = choose();
      if (!provider.rank) throw lacking(provider, 'reranking');
      return { ...(await provider.rank(request, context)), providerId: provider.id };
    },
  };
}

function lacking(provider: Provider, what: string): AppError {
  return new AppError('not_supported', `The provider ${provider.id} has no ${what}.`, { field: 'model' });
}

/**
 * The event that was pulled first, then the rest. Written out rather than as a generator: a generator that was never
 * started would not hand an early `return` on to the provider.
 */
function resume(first: StreamEvent, iterator: AsyncIterator<StreamEvent>): AsyncIterableIterator<StreamEvent> {
  let pending: StreamEvent | null = first;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (pending) {
        const value = pending;
        pending = null;
        return { done: false, value };
      }
      try {
        return await iterator.next();
      } catch (error) {
        throw toAppError(error);
      }
    },
    async return() {
      pending = null;
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}
