import type { Readable } from 'node:stream';
import { type Flow, flowOfFunctions } from '../core/flow.ts';

/** So much waits for whoever reads slowly before the stream is told to wait. */
const mostWaitingBytes = 64 * 1024;

/** Who waits for a piece, or for all of them. */
interface Reader {
  /** Of one piece: whoever wants another asks again. */
  wantsOne: boolean;
  give(piece: Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
}

/** What has begun is told behind whatever else comes with it. */
const soon = Promise.resolve();

/**
 * What comes of a stream, all that is there at a time as one piece: a batch of small records is understood and passed on at once.
 * The stream's own iterator makes far more of each piece. Nothing is read before somebody asks, and little that nobody asks for. Throws
 * `why` of an error of the stream, also where it ends before its end. `stop`: ends the stream for whoever does not want the rest.
 */
export function piecesOf(
  stream: Readable,
  { why, stop }: { why: (error: unknown) => unknown; stop: () => void },
): Flow<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let hasBegun = false;
  let hasEnded = false;
  let failure: { error: unknown } | null = null;
  let reader: Reader | null = null;
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
    const to = reader;
    if (waiting.length > 0) {
      if (to.wantsOne) reader = null;
      to.give(take());
      if (to.wantsOne) return;
    }
    if (!hasEnded && failure === null) return;
    reader = null;
    if (hasEnded) to.end();
    else to.fail(why(failure!.error));
  };
  /** What else comes with it in this turn belongs to it. */
  const tellSoon = () => {
    if (reader === null || isTelling) return;
    isTelling = true;
    void soon.then(tell);
  };
  const begin = () => {
    if (hasBegun) return;
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
    // Every answer closes, and an error takes a while to make.
    if (hasEnded) return;
    failure ??= { error: new Error('the connection ended before the answer') };
    tellSoon();
  });
  return flowOfFunctions<Uint8Array>({
    next() {
      begin();
      return new Promise((resolve, reject) => {
        reader = {
          wantsOne: true,
          give: (value) => resolve({ done: false, value }),
          end: () => resolve({ done: true, value: undefined }),
          fail: reject,
        };
        tell();
      });
    },
    each(take) {
      begin();
      return new Promise((resolve, reject) => {
        const give = (piece: Uint8Array) => {
          try {
            take(piece);
          } catch (error) {
            reader = null;
            reject(error);
            if (!hasEnded) stop();
          }
        };
        reader = { wantsOne: false, give, end: resolve, fail: reject };
        tell();
      });
    },
    async return() {
      if (!hasEnded) stop();
      return { done: true, value: undefined };
    },
  });
}
