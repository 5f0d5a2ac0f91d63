import type { Clock, Timer } from '../core/clock.ts';
import { AppError } from '../core/errors.ts';
import { type Flow, flowOf, flowOfFunctions } from '../core/flow.ts';

/** How long another server may take, in milliseconds. */
export interface UpstreamTimeouts {
  /** From the request until the first piece of the answer's body. */
  firstByteMs: number;
  /** Between two pieces, while somebody waits for the next: a slow reader is not the upstream's fault. */
  idleMs: number;
  /** Of the whole answer; null: none. */
  totalMs: number | null;
}

/** One request to another server, under watch. */
export interface UpstreamWatch {
  /** For the request itself. Aborts with the reason of the caller's signal, with the `upstream_timeout`, or by a `close` before its end. */
  readonly signal: AbortSignal;
  /** Waits for the head of the answer; rejects with the reason when `signal` aborts, else with what `head` rejects with. */
  head<Head>(head: Promise<Head>): Promise<Head>;
  /**
   * The pieces of the answer's body as they come (of bytes, or of what an SDK made of them). Throws the reason when
   * `signal` aborts, whatever the source does then, and `upstream_unavailable` when the source fails; an end that comes too
   * soon is for its reader to see. Closes the watch at its end.
   */
  body<Piece>(source: AsyncIterable<Piece>): Flow<Piece>;
  /** The answer is whole, whatever still comes of its body: no time counts any more, nor the signal of the caller. */
  release(): void;
  /** Stops the timers, and ends the request and whoever waits for it, if it still runs. More than once is fine. */
  close(): void;
}

/**
 * Begins to count the time of a request that is about to be sent. `provider`: its id, for messages. Its user calls `close`
 * where it does not read `body` to the end.
 */
export function watchUpstream(deps: {
  clock: Pick<Clock, 'after' | 'monotonicMs'>;
  timeouts: UpstreamTimeouts;
  signal: AbortSignal;
  provider: string;
}): UpstreamWatch {
  const { clock, timeouts, provider } = deps;
  const controller = new AbortController();
  // One waiter at a time, told by one listener: a listener or a race for each piece would cost more than the piece.
  let rejectWaiter: ((reason: unknown) => void) | null = null;

  const end = (reason: unknown) => {
    stop();
    controller.abort(reason);
    rejectWaiter?.(reason);
  };
  const endByCaller = () => end(deps.signal.reason);
  const expire = (waitedFor: keyof typeof waits, limitMs: number) =>
    clock.after(limitMs, () => end(timedOut(provider, waitedFor, limitMs)));

  let firstByte: Timer | null = expire('first_byte', timeouts.firstByteMs);
  /** Looks whether somebody has waited too long; one for many pieces, as most come long before. */
  let idle: Timer | null = null;
  let waitsSinceMs: number | null = null;
  const lookAfter = (ms: number) => {
    idle = clock.after(ms, () => {
      idle = null;
      if (waitsSinceMs === null) return;
      const leftMs = waitsSinceMs + timeouts.idleMs - clock.monotonicMs();
      if (leftMs > 0) return lookAfter(leftMs);
      end(timedOut(provider, 'next_piece', timeouts.idleMs));
    });
  };
  const total = timeouts.totalMs === null ? null : expire('whole_answer', timeouts.totalMs);
  const stop = () => {
    for (const timer of [firstByte, idle, total]) timer?.cancel();
    deps.signal.removeEventListener('abort', endByCaller);
  };
  if (deps.signal.aborted) endByCaller();
  else deps.signal.addEventListener('abort', endByCaller, { once: true });

  const orAbort = <Value>(wait: PromiseLike<Value>): Promise<Value> =>
    new Promise((resolve, reject) => {
      rejectWaiter = reject;
      if (controller.signal.aborted) reject(controller.signal.reason);
      wait.then(resolve, reject);
    });
  /** The abort is the reason of whatever fails after it. */
  const whyFailed = (error: unknown) => (controller.signal.aborted ? controller.signal.reason : error);

  let hasEnded = false;
  const close = () => {
    stop();
    // What has ended needs no end: to abort it all the same would take longer than all else here.
    if (hasEnded || controller.signal.aborted) return;
    controller.abort(closed);
    rejectWaiter?.(closed);
  };

  return {
    signal: controller.signal,
    head: (head) =>
      orAbort(head).catch((error) => {
        throw whyFailed(error);
      }),
    // Written out rather than as a generator, which would take longer for each piece.
    body<Piece>(source: AsyncIterable<Piece>): Flow<Piece> {
      const pieces = flowOf(source);
      let isOver = false;
      const finish = () => {
        if (isOver) return;
        isOver = true;
        close();
        // Not waited for: a source that ignores the abort is still busy with its last piece.
        pieces.return().then(undefined, () => undefined);
      };
      const waits = () => {
        if (firstByte !== null) return;
        waitsSinceMs = clock.monotonicMs();
        if (idle === null) lookAfter(timeouts.idleMs);
      };
      const came = () => {
        waitsSinceMs = null;
        firstByte?.cancel();
        firstByte = null;
      };
      const ended = () => {
        came();
        hasEnded = true;
        finish();
      };
      const broke = (error: unknown): never => {
        const reason = whyFailed(error);
        finish();
        throw reason instanceof AppError ? reason : broken(provider, reason);
      };
      return flowOfFunctions<Piece>({
        next() {
          if (isOver) return Promise.resolve({ done: true, value: undefined });
          waits();
          return orAbort(pieces.next()).then((result): IteratorResult<Piece, undefined> => {
            if (result.done) {
              ended();
              return { done: true, value: undefined };
            }
            came();
            return { done: false, value: result.value };
          }, broke);
        },
        async each(take) {
          if (isOver) return;
          const thrown: unknown[] = [];
          waits();
          const all = pieces.each((piece) => {
            // Of a source that ignores the abort.
            if (isOver) return;
            came();
            try {
              take(piece);
            } catch (error) {
              thrown.push(error);
              // At once: a source may take its time to end.
              rejectWaiter?.(error);
              throw error;
            }
            waits();
          });
          await orAbort(all).then(ended, (error: unknown) => {
            if (thrown.length === 0) return broke(error);
            finish();
            throw thrown[0];
          });
        },
        async return() {
          finish();
          return { done: true, value: undefined };
        },
      });
    },
    release: stop,
    close,
  };
}

const waits = {
  first_byte: 'did not begin to answer',
  next_piece: 'sent nothing more of its answer',
  whole_answer: 'did not end its answer',
};

/** Why requests are ended that nobody reads any more; no client sees it. */
const closed = new AppError('client_closed_request', 'The answer is not read any more.');

function timedOut(provider: string, waitedFor: keyof typeof waits, limitMs: number): AppError {
  return new AppError('upstream_timeout', `${provider} ${waits[waitedFor]} within ${limitMs / 1000} s.`, {
    details: { provider, waited_for: waitedFor, limit_ms: limitMs },
  });
}

function broken(provider: string, error: unknown): AppError {
  return new AppError('upstream_unavailable', `The connection to ${provider} broke in the middle of its answer.`, {
    details: { provider },
    cause: error,
  });
}
