import type { Clock } from '../core/clock.ts';

/** What a piece of an answer says. */
export interface Heard<Event> {
  events: readonly Event[];
  /** Thrown behind the events; left out: it went well. */
  failure?: unknown;
  /** The answer is whole, whatever still comes; left out: it goes on. */
  isWhole?: boolean;
}

/** An answer that has begun, and how it is read. */
export interface AnswerReading<Event> {
  /** What is known before anything of the body is there; left out: nothing. */
  first?: readonly Event[];
  /** May throw. */
  push(bytes: Uint8Array): Heard<Event>;
  /** What is left to say at the end of the body. May throw. */
  end(): Heard<Event>;
}

export interface OpenAnswer<Event> {
  reading: AnswerReading<Event>;
  body: AsyncIterator<Uint8Array>;
  /** It is whole: no time counts any more, nor the signal of whoever asked. */
  release(): void;
  /** Ends the answer wherever it is. More than once is fine. */
  close(): void;
}

/** A service ends its body with its last record or just behind it, and is waited for so long: its connection can be used again then. */
const graceMs = 250;

/**
 * The events of an answer, which is asked for when somebody wants the first of them. `signal`: its reason is thrown between two
 * events, too, as many may come with one piece. Closes the answer at its end. Written out rather than as generators, of which a
 * piece would pass several: that takes twice as long.
 */
export function answerEvents<Event>(
  deps: { signal: AbortSignal; clock: Pick<Clock, 'after'> },
  open: () => Promise<OpenAnswer<Event>>,
): AsyncIterableIterator<Event> {
  let answer: OpenAnswer<Event> | null = null;
  let heard: Heard<Event> = { events: [] };
  let given = 0;
  let isOver = false;

  const finish = () => {
    isOver = true;
    answer?.close();
  };
  const finishWhole = ({ body, release, close }: OpenAnswer<Event>) => {
    isOver = true;
    release();
    const timer = deps.clock.after(graceMs, close);
    const rest = async () => {
      while (!(await body.next()).done);
    };
    // What breaks now was whole.
    rest()
      .catch(() => {})
      .finally(() => {
        timer.cancel();
        close();
      });
  };
  /** Goes on until there is an event, or the end. */
  const hear = async (from: OpenAnswer<Event>) => {
    while (given === heard.events.length) {
      if (heard.failure !== undefined) throw heard.failure;
      if (heard.isWhole) return finishWhole(from);
      const piece = await from.body.next();
      heard = piece.done ? { ...from.reading.end(), isWhole: true } : from.reading.push(piece.value);
      given = 0;
    }
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (isOver) return { done: true, value: undefined };
      try {
        if (answer === null) {
          deps.signal.throwIfAborted();
          answer = await open();
          heard = { events: answer.reading.first ?? [] };
          // Nobody wants it any more.
          if (isOver) answer.close();
        }
        if (given === heard.events.length && !isOver) await hear(answer);
        if (isOver) return { done: true, value: undefined };
        deps.signal.throwIfAborted();
        return { done: false, value: heard.events[given++]! };
      } catch (error) {
        finish();
        throw error;
      }
    },
    async return() {
      finish();
      return { done: true, value: undefined };
    },
  };
}
