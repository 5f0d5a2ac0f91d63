import type { Reading } from '../../core/decision-shares.ts';

/** Questions of which it is remembered; the one that was asked longest ago goes first. */
const most = 2_000;

/** What a model says to questions about nothing, by the tokens of the question: it is always the same. */
export interface EmptyReadings {
  get(tokens: readonly number[]): Reading | null;
  set(tokens: readonly number[], reading: Reading): void;
}

export function createEmptyReadings(): EmptyReadings {
  const known = new Map<string, Reading>();
  return {
    get(tokens) {
      const key = tokens.join();
      const found = known.get(key);
      if (found === undefined) return null;
      known.delete(key);
      known.set(key, found);
      return found;
    },
    set(tokens, reading) {
      known.set(tokens.join(), reading);
      if (known.size > most) known.delete(known.keys().next().value!);
    },
  };
}
