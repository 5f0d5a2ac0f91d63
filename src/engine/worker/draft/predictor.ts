import { type Token, TokenPredictor } from 'node-llama-cpp';
import { createSuffixIndex, type SuffixIndex } from './suffix-index.ts';

/** A match has to be this long before what followed it is worth a guess. */
const minMatchTokens = 4;

/**
 * The library's hook for guesses at the next tokens of one sequence. It proposes what followed the last time that the
 * current end was seen, in prompt or answer; the model verifies every guess, so the text stays its own.
 * `limit` is set by the loop before each step; 0 makes the step a plain one.
 */
export class DraftPredictor extends TokenPredictor {
  limit = 0;
  /** Tokens proposed since the last `takeProposed`. */
  #proposed = 0;
  #tokens: number[] = [];
  #index: SuffixIndex | null = null;

  override reset({ stateTokens }: { stateTokens: Token[] }): void {
    // Called for every portion of a prompt: the index is only built when a guess is wanted.
    this.#tokens = stateTokens;
    this.#index = null;
  }

  override pushTokens(tokens: Token[]): void {
    if (this.#index) for (const token of tokens) this.#index.push(token);
    else this.#tokens.push(...tokens);
  }

  override predictTokens(): Token[] {
    if (this.limit === 0) return [];
    if (!this.#index) {
      this.#index = createSuffixIndex(minMatchTokens);
      for (const token of this.#tokens) this.#index.push(token);
      this.#tokens = [];
    }
    const guess = this.#index.propose(this.limit) as Token[];
    this.#proposed += guess.length;
    return guess;
  }

  takeProposed(): number {
    const proposed = this.#proposed;
    this.#proposed = 0;
    return proposed;
  }
}
