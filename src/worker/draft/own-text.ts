import type { DraftSource } from '../sequence/sequence.ts';
import { createSuffixIndex, type SuffixIndex } from './suffix-index.ts';

/** A match has to be this long before what followed it is worth a guess. */
const minMatchTokens = 4;

/**
 * Proposes what followed the last time that the current end was seen, in prompt or answer. `generated` grows with the
 * answer. The index is only built when a guess is wanted: a prompt may be long and its answer a single word.
 */
export function createOwnTextSource(prompt: readonly number[], generated: readonly number[]): DraftSource {
  let index: SuffixIndex | null = null;
  let taken = 0;
  return {
    propose(maxTokens) {
      if (!index) {
        index = createSuffixIndex(minMatchTokens);
        for (const token of prompt) index.push(token);
      }
      for (; taken < generated.length; taken++) index.push(generated[taken]!);
      return index.propose(maxTokens);
    },
  };
}
