import type { Sampling } from '../../core/chat.ts';

export { commonLength } from './common-length.ts';

/** One slot's place in the model's context. All calls on one sequence are made one after the other. */
export interface Sequence {
  /** Tokens whose state is held now. */
  readonly length: number;
  /** How many leading tokens of `tokens` need no evaluation if this sequence is used; 0 when reuse would be wrong. */
  reusablePrefix(tokens: readonly number[]): number;
  /** Drops what does not lead `tokens`; returns how many leading tokens are kept (never all: one is left to evaluate). */
  adapt(tokens: readonly number[]): Promise<number>;
  /** Whether states can only be cut where `checkpoint` was called: the model has a sliding window or a recurrent state. */
  readonly needsCheckpoints: boolean;
  /** Puts the state aside, so that `adapt` can take the sequence back to it. Never rejects. */
  checkpoint(): Promise<void>;
  /** How many of the first `length` tokens another sequence can take over now. */
  copyable(length: number): number;
  /**
   * Takes over the first `length` tokens of another sequence's state, which has to be what its `copyable` gives. False
   * when that cannot be done; nothing is held then, or what was held before.
   */
  copyFrom(other: Sequence, length: number): Promise<boolean>;
  /** Evaluates tokens at the end. */
  prefill(tokens: number[]): Promise<void>;
  /** Evaluates `tokens` at the end with the first `next()`, then generates. */
  generate(tokens: number[], how: GenerationSettings): Generation;
  /**
   * Evaluates `tokens` at the end and tells which share of the next token's whole distribution each of `candidates` has.
   * Chooses nothing.
   */
  score(tokens: number[], candidates: readonly number[]): Promise<number[]>;
  /** Guesses ahead, or null where the library cannot do them. */
  readonly draft: SequenceDraft | null;
  /** The tokens whose state is held. */
  tokens(): readonly number[];
  /** Writes the state to a file; rejects when that fails. */
  saveState(path: string): Promise<void>;
  /** Replaces the state by one from a file; rejects when it does not fit, and the state is unknown then. */
  loadState(path: string): Promise<void>;
  /** Forgets everything, after a failed evaluation. */
  reset(): Promise<void>;
}

/** Guesses at the next tokens of one sequence; the model verifies them within the step. */
interface SequenceDraft {
  /** Guesses that the next `next()` may make; stays until it is set again. */
  limit: number;
  /** Tokens that are generated already: that many further `next()` calls need no decode. */
  readonly ready: number;
  /** Guesses made since the last call. */
  takeProposed(): number;
}

/**
 * Guesses at the next tokens of one answer. A source reads the answer from the list that grows with it, so it needs no
 * word of what was accepted. The model verifies every guess: a wrong one costs time, never text.
 */
export interface DraftSource {
  /** At most `maxTokens` (1 or more) guesses at what follows the answer as it stands now; none when it has no idea. */
  propose(maxTokens: number): number[];
}

/** How the tokens of an answer are chosen. */
export interface GenerationSettings {
  sampling: Sampling;
  /** Tokens of the answer so far; grows while it is generated, and is read before each token. */
  generated: readonly number[];
  /** Alternatives to report per token; null: no log probabilities. */
  topLogprobs: number | null;
  /** What the text must keep to, or null for free text. */
  grammar: GrammarSource | null;
  /** Where guesses at the answer come from; absent: there are none. */
  drafts?: DraftSource;
}

/** Grammars for one answer, switched on and off as it is written. */
export interface GrammarSource {
  /**
   * The grammar that binds the next token, or null for a free one. A new `id` begins at the start of the grammar; an
   * equal one goes on. Asked before every token.
   */
  current(): { gbnf: string; id: number } | null;
}

/** A chosen token and, when asked for, how likely it and its alternatives were. */
export interface GeneratedToken {
  token: number;
  logprob: number | null;
  top: { token: number; logprob: number }[];
}

/** A running generation; the token returned by one `next()` is evaluated by the following one. */
export interface Generation {
  next(): Promise<GeneratedToken>;
  /** Frees the sampler; the state stays. */
  stop(): Promise<void>;
}
