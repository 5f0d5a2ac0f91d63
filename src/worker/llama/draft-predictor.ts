import { type Token, TokenPredictor } from 'node-llama-cpp';
import type { DraftSource } from '../sequence/sequence.ts';

/**
 * The library's hook for guesses at the next tokens of one sequence; the model verifies every guess, so the text stays
 * its own. `source` knows the answer under way and is set when it begins. `limit` is set by the loop before each step;
 * 0 makes the step a plain one.
 */
export class DraftPredictor extends TokenPredictor {
  limit = 0;
  source: DraftSource | null = null;
  /** Whether the decode under way evaluates guesses; taken back by whoever begins one. */
  hasGuessed = false;
  /** For the decode that comes next. */
  #guess: Token[] = [];
  /** Tokens proposed since the last `takeProposed`. */
  #proposed = 0;

  // The source reads the answer itself: the library's view of the state is not needed.
  override reset(): void {}
  override pushTokens(): void {}

  /** Asks for guesses at what the next decode gives; whether there are some. */
  guess(): boolean {
    this.#guess = this.limit === 0 || !this.source ? [] : (this.source.propose(this.limit) as Token[]);
    return this.#guess.length > 0;
  }

  override predictTokens(): Token[] {
    const guess = this.#guess;
    this.#guess = [];
    this.#proposed += guess.length;
    this.hasGuessed = guess.length > 0;
    return guess;
  }

  takeProposed(): number {
    const proposed = this.#proposed;
    this.#proposed = 0;
    return proposed;
  }
}
