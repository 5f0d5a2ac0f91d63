import type { Clock } from '../core/clock.ts';
import { type Flow, flowOfFunctions, pulledFlow } from '../core/flow.ts';

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
): Flow<Event> {
  const { signal, clock } = deps;
  let answer: OpenAnswer<Event> | null = null;
  let heard: Heard<Event> = { events: [] };
  let given = 0;
  /** All of it was read, and nothing is waited for behind what was heard. */
  let hasBodyEnded = false;
  let isOver = false;

  const finish = () => {
    isOver = true;
    answer?.close();
  };
  /** `rest`: resolves when all of the body was read. */
  const finishWhole = ({ release, close }: OpenAnswer<Event>, rest: Promise<void>) => {
    isOver = true;
    release();
    const timer = clock.after(graceMs, close);
    // What breaks now was whole.
    rest
      .catch(() => {})
      .finally(() => {
        timer.cancel();
        close();
      });
  };
  const restOf = async (body: AsyncIterator<Uint8Array>) => {
    while (!(await body.next()).done);
  };
  /** What is not asked for before is, and what is known of it then can be heard. */
  const begun = async (): Promise<OpenAnswer<Event>> => {
    signal.throwIfAborted();
    answer = await open();
    heard = { events: answer.reading.first ?? [] };
    // Nobody wants it any more.
    if (isOver) answer.close();
    return answer;
  };
  /** Goes on until there is an event, or the end. */
  const hear = async (from: OpenAnswer<Event>) => {
    while (given === heard.events.length) {
      if (heard.failure !== undefined) throw heard.failure;
      if (hasBodyEnded) return finish();
      if (heard.isWhole) return finishWhole(from, restOf(from.body));
      const piece = await from.body.next();
      hasBodyEnded = piece.done === true;
      heard = piece.done ? from.reading.end() : from.reading.push(piece.value);
      given = 0;
    }
  };
  /** All of the body behind what was heard. */
  const hearEach = async (from: OpenAnswer<Event>, take: (event: Event) => void) => {
    const whole = Promise.withResolvers<void>();
    const tell = ({ events, failure }: Heard<Event>) => {
      for (const event of events) {
        signal.throwIfAborted();
        take(event);
      }
      if (failure !== undefined) throw failure;
    };
    const rest = pushing(from.body).each((piece) => {
      // What comes behind its end.
      if (isOver) return;
      const said = from.reading.push(piece);
      tell(said);
      if (!said.isWhole) return;
      isOver = true;
      whole.resolve();
    });
    await Promise.race([rest, whole.promise]);
    if (isOver) return finishWhole(from, rest);
    tell(from.reading.end());
    finishWhole(from, rest);
  };
  return flowOfFunctions<Event>({
    async next() {
      if (isOver) return { done: true, value: undefined };
      try {
        const from = answer ?? (await begun());
        if (given === heard.events.length && !isOver) await hear(from);
        if (isOver) return { done: true, value: undefined };
        signal.throwIfAborted();
        return { done: false, value: heard.events[given++]! };
      } catch (error) {
        finish();
        throw error;
      }
    },
    async each(take) {
      if (isOver) return;
      try {
        const from = answer ?? (await begun());
        while (given < heard.events.length && !isOver) {
          signal.throwIfAborted();
          take(heard.events[given++]!);
        }
        if (isOver) return;
        if (heard.failure !== undefined) throw heard.failure;
        if (hasBodyEnded) return finish();
        if (heard.isWhole) return finishWhole(from, restOf(from.body));
        await hearEach(from, take);
      } catch (error) {
        finish();
        throw error;
      }
    },
    async return() {
      finish();
      return { done: true, value: undefined };
    },
  });
}

function pushing(body: AsyncIterator<Uint8Array>): Flow<Uint8Array> {
  return 'each' in body ? (body as Flow<Uint8Array>) : pulledFlow(body);
}
