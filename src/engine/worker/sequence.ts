import type { Sampling } from '../../core/chat.ts';

/** One slot's place in the model's context. All calls on one sequence are made one after the other. */
export interface Sequence {
  /** Tokens whose state is held now. */
  readonly length: number;
  /** How many leading tokens of `tokens` need no evaluation if this sequence is used; 0 when reuse would be wrong. */
  reusablePrefix(tokens: readonly number[]): number;
  /** Drops what does not lead `tokens`; returns how many leading tokens are kept (never all: one is left to evaluate). */
  adapt(tokens: readonly number[]): Promise<number>;
  /** Evaluates tokens at the end. */
  prefill(tokens: number[]): Promise<void>;
  /** Evaluates `tokens` at the end with the first `next()`, then generates. `generated` is read by the penalties. */
  generate(tokens: number[], sampling: Sampling, generated: readonly number[]): Generation;
  /** Forgets everything, after a failed evaluation. */
  reset(): Promise<void>;
}

/** A running generation; the token returned by one `next()` is evaluated by the following one. */
export interface Generation {
  next(): Promise<number>;
  /** Frees the sampler; the state stays. */
  stop(): Promise<void>;
}
