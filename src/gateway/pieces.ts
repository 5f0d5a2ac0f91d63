import { heardOf, type ProviderEvent, type StreamEvent } from '../core/events.ts';
import { type Flow, type Layer, layered } from '../core/flow.ts';
import type { PassedAnswer } from '../core/provider.ts';
import type { RunningAttempt } from './attempts.ts';
import type { RelayHead } from './failover.ts';

/** A provider's stream whose every end its try hears of, started or not. */
export function guarded(stream: AsyncIterable<ProviderEvent>, running: RunningAttempt): Flow<ProviderEvent> {
  return layered<ProviderEvent>(stream, {
    take(event, give) {
      running.see(event);
      give(event);
    },
    ended() {
      if (!running.hasEnded()) throw new Error('a provider ended an answer without a finish');
    },
    async failed(error) {
      await running.failed(error);
      return error;
    },
    // Nothing, where it has ended already.
    left: () => running.cancelled(),
  });
}

const toEvents: Layer<ProviderEvent, StreamEvent> = {
  take(piece, give) {
    for (const event of heardOf(piece)) give(event);
  },
};

const toBytes: Layer<ProviderEvent, Uint8Array> = {
  take(piece, give) {
    if (piece.type === 'relay') give(piece.bytes);
  },
};

/** The two readings of one answer: its events, and its bytes where it is relayed. */
export function piecesOf(
  pieces: Flow<ProviderEvent>,
  head: RelayHead | null,
): { events: AsyncIterableIterator<StreamEvent>; relay: PassedAnswer | null } {
  // Where nothing is relayed, there is nothing else in it.
  if (head === null) return { events: pieces as AsyncIterableIterator<StreamEvent>, relay: null };
  const { status, headers } = head;
  return { events: layered(pieces, toEvents), relay: { status, headers, bytes: layered(pieces, toBytes) } };
}
