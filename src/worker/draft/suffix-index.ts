/** Finds where the latest tokens stood before, so that what followed then can be proposed now. */
export interface SuffixIndex {
  push(token: number): void;
  /**
   * The tokens that followed the longest earlier occurrence of the end of `text`; at most `maxTokens`, none when fewer
   * than `minMatchTokens` tokens match. `text`: another text than the one pushed, which is taken without it.
   */
  propose(maxTokens: number, text?: readonly number[]): number[];
  readonly length: number;
}

/** An index key is this many tokens long; shorter repetitions are chance. */
const keyTokens = 3;
/** Earlier occurrences of a key that are looked at, the latest first. */
const maxCandidates = 8;

/**
 * Longest suffix seen before, over everything pushed so far. Pushing and proposing take constant time for texts of any
 * length. `minMatchTokens`: at least 3.
 */
export function createSuffixIndex(minMatchTokens: number): SuffixIndex {
  const tokens: number[] = [];
  /** Positions right after each key, the latest last. */
  const positions = new Map<string, number[]>();
  const keyAt = (text: readonly number[], end: number) => `${text[end - 3]},${text[end - 2]},${text[end - 1]}`;

  return {
    get length() {
      return tokens.length;
    },
    push(token) {
      tokens.push(token);
      // The position of this key is only of use once something follows it: it is entered with the next token.
      const end = tokens.length - 1;
      if (end < keyTokens) return;
      const key = keyAt(tokens, end);
      const known = positions.get(key);
      if (!known) positions.set(key, [end]);
      else {
        known.push(end);
        if (known.length > maxCandidates) known.shift();
      }
    },
    propose(maxTokens, text = tokens) {
      if (text.length < keyTokens) return [];
      let best = -1;
      let bestLength = minMatchTokens - 1;
      for (const end of positions.get(keyAt(text, text.length)) ?? []) {
        const most = Math.min(end, text.length);
        let length = keyTokens;
        while (length < most && tokens[end - 1 - length] === text[text.length - 1 - length]) length++;
        // Of two equally long matches the later one is closer to what is being written.
        if (length >= bestLength) {
          best = end;
          bestLength = length;
        }
      }
      return best === -1 || bestLength < minMatchTokens ? [] : tokens.slice(best, best + maxTokens);
    },
  };
}
