import type { DraftSource } from '../sequence/sequence.ts';

/** Asks the sources in their order; a later one is only heard where it agrees with an earlier one and knows more. */
export function inOrder(sources: readonly DraftSource[]): DraftSource {
  return {
    propose(maxTokens) {
      let best: number[] = [];
      for (const source of sources) {
        if (best.length >= maxTokens) break;
        const guess = source.propose(maxTokens);
        if (guess.length > best.length && best.every((token, index) => guess[index] === token)) best = guess;
      }
      return best;
    },
  };
}
