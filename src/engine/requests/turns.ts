import type { StreamEvent } from '../../core/events.ts';
import type { Courtesy, Turn } from './courtesy.ts';

/** Who asks: at the lowest priority, or somebody who waits; `signal`: gives it up. */
interface Asked {
  isBackground: boolean;
  signal: AbortSignal;
}

/**
 * Answers at once what somebody waits for, and what nobody waits for when nobody asks. Where that has to give way it begins
 * anew in its next turn, and whoever asked for it does not notice.
 */
export interface Turns {
  /** What nobody waits for is told when it is whole, but for its progress. `begin` is given what ends a turn. */
  stream(asked: Asked, begin: (signal: AbortSignal) => AsyncIterable<StreamEvent>): AsyncIterable<StreamEvent>;
  once<Result>(asked: Asked, begin: (signal: AbortSignal) => Promise<Result>): Promise<Result>;
}

export function createTurns(courtesy: Courtesy): Turns {
  async function* atOnce(signal: AbortSignal, begin: (signal: AbortSignal) => AsyncIterable<StreamEvent>) {
    const leave = courtesy.enter();
    try {
      yield* begin(signal);
    } finally {
      leave();
    }
  }

  async function* inTurns(signal: AbortSignal, begin: (signal: AbortSignal) => AsyncIterable<StreamEvent>) {
    for (;;) {
      const turn = await courtesy.wait(signal);
      const events: StreamEvent[] = [];
      try {
        for await (const event of begin(turn.signal)) {
          if (event.type === 'progress') yield event;
          else events.push(event);
        }
      } catch (error) {
        if (hasGivenWay(turn, signal)) continue;
        throw error;
      } finally {
        turn.end();
      }
      yield* events;
      return;
    }
  }

  return {
    stream: ({ isBackground, signal }, begin) => (isBackground ? inTurns : atOnce)(signal, begin),
    async once({ isBackground, signal }, begin) {
      if (!isBackground) {
        const leave = courtesy.enter();
        return begin(signal).finally(leave);
      }
      for (;;) {
        const turn = await courtesy.wait(signal);
        try {
          return await begin(turn.signal);
        } catch (error) {
          if (!hasGivenWay(turn, signal)) throw error;
        } finally {
          turn.end();
        }
      }
    },
  };
}

function hasGivenWay(turn: Turn, signal: AbortSignal): boolean {
  return turn.signal.aborted && !signal.aborted;
}
