import { promptTokensOf, totalTokensOf, type Usage } from '../../../core/usage.ts';

/** Usage as OpenAI counts it, or null when the provider did not count: a zero would be booked as true. */
export function toUsage(usage: Usage) {
  const promptTokens = promptTokensOf(usage);
  const total = totalTokensOf(usage);
  if (promptTokens === null || usage.outputTokens === null || total === null) return null;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: usage.outputTokens,
    total_tokens: total,
    prompt_tokens_details: {
      cached_tokens: usage.cacheReadTokens ?? 0,
      cache_write_tokens: (usage.cacheWrite5mTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0),
    },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoningTokens ?? 0,
      accepted_prediction_tokens: usage.prediction?.acceptedTokens ?? 0,
      rejected_prediction_tokens: usage.prediction?.rejectedTokens ?? 0,
    },
  };
}
