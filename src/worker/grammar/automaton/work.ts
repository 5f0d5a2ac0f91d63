import { TooLargeError } from './too-large.ts';

/**
 * What working something out may cost, counted in literals, clauses and ranges that are looked at. Not in time: the same
 * patterns come to the same end on every machine, however busy it is.
 */
export interface Work {
  readonly spent: number;
  /** Throws `TooLargeError` once more than was allowed is spent. */
  spend(work: number): void;
  /** Allows so much from now on. */
  allow(work: number): void;
}

export function createWork(allowed: number): Work {
  let spent = 0;
  let most = allowed;
  return {
    get spent() {
      return spent;
    },
    spend(work) {
      spent += work;
      if (spent > most) throw new TooLargeError();
    },
    allow(work) {
      most = spent + work;
    },
  };
}
