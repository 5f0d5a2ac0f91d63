import { totalTokens, type Usage, unknownUsage } from '../../../core/usage.ts';

/**
 * The usage of all answers to one request: what was generated in sum, the prompt once. Of its tokens those count as
 * cached that no answer had to compute. Null where one of them is unknown.
 */
export function sumUsage(usages: readonly Usage[]): Usage {
  const [first = unknownUsage] = usages;
  const all = (name: keyof Usage, fold: (a: number, b: number) => number) =>
    usages.map((usage) => usage[name]).reduce((a, b) => (a === null || b === null ? null : fold(a, b)));
  if (usages.length <= 1) return first;
  const sum = (a: number, b: number) => a + b;
  return {
    promptTokens: first.promptTokens,
    completionTokens: all('completionTokens', sum),
    cachedPromptTokens: all('cachedPromptTokens', Math.min),
    reasoningTokens: all('reasoningTokens', sum),
  };
}

/** Usage as OpenAI counts it, or null when the provider did not count: a zero would be booked as true. */
export function toUsage(usage: Usage) {
  const { promptTokens, completionTokens } = usage;
  const total = totalTokens(usage);
  if (promptTokens === null || completionTokens === null || total === null) return null;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: total,
    prompt_tokens_details: { cached_tokens: usage.cachedPromptTokens ?? 0 },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
  };
}
