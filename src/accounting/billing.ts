import type { Attempt, AttemptEnd } from '../core/attempt.ts';
import { promptTokensOf, type Usage, unknownUsage } from '../core/usage.ts';

/** What of a try is paid for. */
export interface Billed {
  usage: Usage;
  /** Counts among it are guessed, as the provider did not come to tell them. */
  isEstimated: boolean;
}

/**
 * What a provider takes money for, by the way in which a try ended; null: nothing. Pure.
 *
 * 1. An answer that came to its end: what the provider said at the end. Counts that it never said are guessed.
 * 2. One that the client gave up: the prompt, which was read, and what was generated until then, also where the provider
 *    had said nothing yet.
 * 3. A failure, whenever it came, and tokens that were only counted: nothing.
 */
export function billedOf(
  { outcome, usage, seenOutputTokens }: Pick<AttemptEnd, 'outcome' | 'usage' | 'seenOutputTokens'>,
  { operation, estimate }: Pick<Attempt, 'operation' | 'estimate'>,
): Billed | null {
  if (outcome === 'failed' || outcome === 'not-asked' || operation === 'count') return null;
  const isWhole = outcome === 'answered';
  const generates = operation === 'generate';
  const knowsPrompt = promptTokensOf(usage) !== null;
  // What was said at the start of an answer is not what it had come to when it was cut off.
  const outputTokens = isWhole
    ? (usage.outputTokens ?? (generates ? seenOutputTokens : null))
    : generates
      ? Math.max(usage.outputTokens ?? 0, seenOutputTokens)
      : usage.outputTokens;
  return {
    usage: { ...usage, ...(!knowsPrompt && { inputTokens: guessOf(estimate) }), outputTokens },
    isEstimated: !isWhole || !knowsPrompt || (generates && usage.outputTokens === null),
  };
}

function guessOf({ promptTokens, likelyPromptTokens }: Attempt['estimate']): number {
  return Math.min(promptTokens, likelyPromptTokens?.() ?? promptTokens);
}

/** The counts of what costs nothing. */
export const nothingBilled: Billed = { usage: unknownUsage, isEstimated: false };
