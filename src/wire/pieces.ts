import type { Readable } from 'node:stream';

/** So much waits for whoever reads slowly before the stream is told to wait. */
const mostWaitingBytes = 64 * 1024;

/**
 * What comes of a stream, all that is there at a time as one piece: a batch of small records is understood and passed on at once.
 * The stream's own iterator makes far more of each piece. Nothing is read before somebody asks, and little that nobody asks for. Throws
 * `why` of an error of the stream, also where it ends before its end. `stop`: ends the stream for whoever does not want the rest.
 */
export function piecesOf(
  stream: Readable,
  { why, stop }: { why: (error: unknown) => unknown; stop: () => void },
): AsyncIterableIterator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let hasBegun = false;
  let hasEnded = false;
  let failure: { error: unknown } | null = null;
  let reader: PromiseWithResolvers<IteratorResult<Uint8Array>> | null = null;
  let isTelling = false;

  const take = (): Uint8Array => {
    const piece = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    if (stream.isPaused()) stream.resume();
    return piece;
  };
  const tell = () => {
    isTelling = false;
    if (reader === null) return;
    const { resolve, reject } = reader;
    if (waiting.length > 0) resolve({ done: false, value: take() });
    else if (hasEnded) resolve({ done: true, value: undefined });
    else if (failure !== null) reject(why(failure.error));
    else return;
    reader = null;
  };
  /** What else comes with it in this turn belongs to it. */
  const tellSoon = () => {
    if (reader === null || isTelling) return;
    isTelling = true;
    queueMicrotask(tell);
  };
  const begin = () => {
    hasBegun = true;
    stream.on('data', (piece: Uint8Array) => {
      waiting.push(piece);
      waitingBytes += piece.length;
      if (waitingBytes > mostWaitingBytes) stream.pause();
      tellSoon();
    });
  };
  stream.on('end', () => {
    hasEnded = true;
    tellSoon();
  });
  stream.on('error', (error) => {
    failure ??= { error };
    tellSoon();
  });
  stream.on('close', () => {
    failure ??= { error: new Error('the connection ended before the answer') };
    tellSoon();
  });
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (!hasBegun) begin();
      reader = Promise.withResolvers();
      const { promise } = reader;
      tell();
      return promise;
    },
    async return() {
      if (!hasEnded) stop();
      return { done: true, value: undefined };
    },
  };
}
