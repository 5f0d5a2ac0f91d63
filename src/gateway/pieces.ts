import { heardOf, type ProviderEvent, type StreamEvent } from '../core/events.ts';
import type { PassedAnswer } from '../core/provider.ts';
import type { RunningAttempt } from './attempts.ts';
import type { RelayHead } from './failover.ts';

/** A provider's stream whose every end its try hears of, started or not. */
export function guarded(stream: AsyncIterable<ProviderEvent>, running: RunningAttempt): AsyncIterable<ProviderEvent> {
  const iterator = stream[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        try {
          const result = await iterator.next();
          if (!result.done) running.see(result.value);
          return result;
        } catch (error) {
          await running.failed(error);
          throw error;
        }
      },
      async return() {
        await iterator.return?.();
        // Nothing, where it has ended already.
        await running.cancelled();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** The two readings of one answer: its events, and its bytes where it is relayed. */
export function piecesOf(
  pieces: AsyncIterableIterator<ProviderEvent>,
  head: RelayHead | null,
): { events: AsyncIterableIterator<StreamEvent>; relay: PassedAnswer | null } {
  // Where nothing is relayed, there is nothing else in it.
  if (head === null) return { events: pieces as AsyncIterableIterator<StreamEvent>, relay: null };
  return {
    events: chosen(pieces, heardOf),
    relay: {
      status: head.status,
      headers: head.headers,
      bytes: chosen(pieces, (piece) => (piece.type === 'relay' ? [piece.bytes] : [])),
    },
  };
}

/** What `choose` makes of each piece. No generator: one never started would not hand an early `return` on. */
function chosen<Piece, Result>(
  pieces: AsyncIterableIterator<Piece>,
  choose: (piece: Piece) => readonly Result[],
): AsyncIterableIterator<Result> {
  let results: readonly Result[] = [];
  let given = 0;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      while (given === results.length) {
        const { done, value } = await pieces.next();
        if (done) return { done: true, value: undefined };
        results = choose(value);
        given = 0;
      }
      return { done: false, value: results[given++]! };
    },
    async return() {
      await pieces.return?.();
      return { done: true, value: undefined };
    },
  };
}
