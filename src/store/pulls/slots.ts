import { abortable } from '../../core/abortable.ts';

/** A number of places; who finds none free waits, first come, first served. */
interface Slots {
  /** Resolves with what gives the place back, to be called once; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<() => void>;
}

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const giveBack = () => {
    const next = waiting.shift();
    // The place goes from hand to hand, so nobody who comes later can take it in between.
    if (next) next();
    else free++;
  };
  return {
    async take(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return giveBack;
      }
      await abortable<void>(signal, (resolve) => {
        waiting.push(resolve);
        return () => void waiting.splice(waiting.indexOf(resolve), 1);
      });
      return giveBack;
    },
  };
}
