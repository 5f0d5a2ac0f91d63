/**
 * Guesses at the next tokens of one answer. A source reads the answer from the list that grows with it, so it needs no
 * word of what was accepted. The model verifies every guess: a wrong one costs time, never text.
 */
export interface DraftSource {
  /** At most `maxTokens` (1 or more) guesses at what follows the answer as it stands now; none when it has no idea. */
  propose(maxTokens: number): number[];
}

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
