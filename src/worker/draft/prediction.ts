import type { DraftSource } from '../sequence/sequence.ts';
import { createSuffixIndex, type SuffixIndex } from './suffix-index.ts';

/** Guesses from the text that a request says its answer will mostly repeat. */
export interface Prediction extends DraftSource {
  /** Tokens that it has guessed so far: those that the answer has in their place, and all others. */
  counts(): { acceptedTokens: number; rejectedTokens: number };
}

/** Stands before the text, so that the answer's very first tokens have something to match. No token is negative. */
const start = [-3, -2, -1];
/** An answer that left the text is found again in it after so many tokens. */
const minMatchTokens = 3;
/** Longer texts are guessed from as far as this: their index takes about 100 bytes for each token. */
const maxTokens = 65_536;

/**
 * `tokens`: of the text, as the model writes it; called when the first guess is wanted. `generated` grows with the answer.
 * What was guessed is compared with what came once the answer has gone on: only then it is known.
 */
export function createPrediction(tokens: () => readonly number[], generated: readonly number[]): Prediction {
  let index: SuffixIndex | null = null;
  /** The answer behind its start mark. */
  const text = [...start];
  /** The latest guess, and where in the answer it begins. */
  let guess: { at: number; tokens: readonly number[] } = { at: 0, tokens: [] };
  const counted = { acceptedTokens: 0, rejectedTokens: 0 };

  const compare = () => {
    let accepted = 0;
    while (accepted < guess.tokens.length && generated[guess.at + accepted] === guess.tokens[accepted]) accepted++;
    return { accepted, rejected: guess.tokens.length - accepted };
  };
  const settle = () => {
    const { accepted, rejected } = compare();
    counted.acceptedTokens += accepted;
    counted.rejectedTokens += rejected;
    guess = { at: generated.length, tokens: [] };
  };

  return {
    propose(limit) {
      settle();
      if (!index) {
        index = createSuffixIndex(minMatchTokens);
        for (const token of start) index.push(token);
        for (const token of tokens().slice(0, maxTokens)) index.push(token);
      }
      while (text.length < start.length + generated.length) text.push(generated[text.length - start.length]!);
      const found = index.propose(limit, text);
      guess = { at: generated.length, tokens: found };
      return found;
    },
    counts() {
      const { accepted, rejected } = compare();
      return {
        acceptedTokens: counted.acceptedTokens + accepted,
        rejectedTokens: counted.rejectedTokens + rejected,
      };
    },
  };
}
