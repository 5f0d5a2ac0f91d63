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
  end: Pick<AttemptEnd, 'outcome' | 'usage' | 'seenOutputTokens' | 'seenReasoningTokens'>,
  { operation, estimate }: Pick<Attempt, 'operation' | 'estimate'>,
): Billed | null {
  const { outcome, usage } = end;
  if (outcome === 'failed' || outcome === 'not-asked' || operation === 'count') return null;
  const isWhole = outcome === 'answered';
  const knowsPrompt = promptTokensOf(usage) !== null;
  const knowsOutput = operation !== 'generate' || (isWhole && usage.outputTokens !== null);
  return {
    usage: {
      ...usage,
      ...(!knowsPrompt && { inputTokens: guessOf(estimate) }),
      ...(!knowsOutput && seenOf(end)),
    },
    isEstimated: !isWhole || !knowsPrompt || !knowsOutput,
  };
}

/** What was said at the start of an answer is not what it had come to when it was cut off. */
function seenOf({
  usage,
  seenOutputTokens,
  seenReasoningTokens,
}: Pick<AttemptEnd, 'usage' | 'seenOutputTokens' | 'seenReasoningTokens'>): Partial<Usage> {
  return {
    outputTokens: Math.max(usage.outputTokens ?? 0, seenOutputTokens),
    ...(seenReasoningTokens > 0 && { reasoningTokens: Math.max(usage.reasoningTokens ?? 0, seenReasoningTokens) }),
  };
}

function guessOf({ promptTokens, likelyPromptTokens }: Attempt['estimate']): number {
  return Math.min(promptTokens, likelyPromptTokens?.() ?? promptTokens);
}

/** The counts of what costs nothing. */
export const nothingBilled: Billed = { usage: unknownUsage, isEstimated: false };
