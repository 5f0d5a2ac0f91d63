import { abortable } from '../../core/abortable.ts';
import { AppError } from '../../core/errors.ts';

/** Something that nobody waits for has its turn. */
export interface Turn {
  /** The request's own signal, which aborts when somebody comes, too. */
  signal: AbortSignal;
  end(): void;
}

/**
 * Keeps requests that nobody waits for out of the way of all others, on all models: they share processors and memory. Where
 * somebody asks for anything, they are ended, each at the next step of its model, and none begins until nobody asks any more.
 * What their models have computed of their prompts stays there, so that it is not computed again.
 */
export interface Courtesy {
  /** Somebody asks, until the returned function is called. */
  enter(): () => void;
  /** Waits until nobody asks. Rejects with the reason of the signal. */
  wait(signal: AbortSignal): Promise<Turn>;
}

function givingWay(): AppError {
  return new AppError('client_closed_request', 'It gave way to a request that somebody waits for.');
}

export function createCourtesy(): Courtesy {
  let asking = 0;
  const turns = new Set<AbortController>();
  const waiting = new Set<() => void>();

  return {
    enter() {
      asking++;
      for (const turn of turns) turn.abort(givingWay());
      turns.clear();
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        asking--;
        if (asking > 0) return;
        for (const begin of [...waiting]) begin();
      };
    },
    async wait(signal) {
      // Whoever is told that nobody asks may find somebody who came since.
      while (asking > 0) {
        await abortable<void>(signal, (resolve) => {
          const begin = () => {
            waiting.delete(begin);
            resolve();
          };
          waiting.add(begin);
          return () => waiting.delete(begin);
        });
      }
      signal.throwIfAborted();
      const turn = new AbortController();
      turns.add(turn);
      return { signal: AbortSignal.any([signal, turn.signal]), end: () => turns.delete(turn) };
    },
  };
}
