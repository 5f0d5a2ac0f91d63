import { type Usage, unknownUsage } from '../../core/usage.ts';
import type { ServiceRow } from './presets.ts';
import { countAt, isJson, jsonAt, textAt } from './wire.ts';

/**
 * `usage` of an answer in the words of the core: prompt tokens are divided into those that a cache had, those that were
 * kept, and the rest. `responses` names the same counts `input_tokens` and `output_tokens`.
 */
export function toUsage(raw: unknown, row: Pick<ServiceRow, 'completionLacksReasoning'>): Usage {
  if (!isJson(raw)) return unknownUsage;
  const promptTokens = countAt(raw, 'prompt_tokens') ?? countAt(raw, 'input_tokens');
  const details = { ...jsonAt(raw, 'input_tokens_details'), ...jsonAt(raw, 'prompt_tokens_details') };
  const cacheReadTokens = countAt(details, 'cached_tokens') ?? countAt(raw, 'prompt_cache_hit_tokens');
  const cacheWriteTokens = countAt(details, 'cache_write_tokens');
  const outDetails = { ...jsonAt(raw, 'output_tokens_details'), ...jsonAt(raw, 'completion_tokens_details') };
  const kept = cacheWriteTokens === 0 ? null : cacheWriteTokens;
  return {
    ...unknownUsage,
    ...predictionOf(outDetails),
    // No prompt is empty: a zero in an early chunk means that it is not counted yet.
    inputTokens: promptTokens ? Math.max(0, promptTokens - (cacheReadTokens ?? 0) - (kept ?? 0)) : null,
    cacheReadTokens: promptTokens ? cacheReadTokens : null,
    cacheWrite5mTokens: kept,
    outputTokens: outputOf(raw, promptTokens, row),
    reasoningTokens: countAt(outDetails, 'reasoning_tokens'),
    raw,
  };
}

function outputOf(
  raw: Record<string, unknown>,
  promptTokens: number | null,
  { completionLacksReasoning }: Pick<ServiceRow, 'completionLacksReasoning'>,
): number | null {
  const output = countAt(raw, 'completion_tokens') ?? countAt(raw, 'output_tokens');
  const total = countAt(raw, 'total_tokens');
  if (!completionLacksReasoning || total === null || promptTokens === null) return output;
  return Math.max(output ?? 0, total - promptTokens);
}

function predictionOf(details: Record<string, unknown>): Pick<Usage, 'prediction'> {
  const acceptedTokens = countAt(details, 'accepted_prediction_tokens') ?? 0;
  const rejectedTokens = countAt(details, 'rejected_prediction_tokens') ?? 0;
  return acceptedTokens + rejectedTokens === 0 ? {} : { prediction: { acceptedTokens, rejectedTokens } };
}

/** What is known after both: a later value replaces an earlier one, and one that is not there leaves it. */
export function laterUsage(earlier: Usage, later: Usage): Usage {
  if (earlier === unknownUsage) return later;
  const known = Object.entries(later).filter(([, value]) => value !== null);
  return { ...earlier, ...Object.fromEntries(known) };
}

/** With the class of service as it was served, where the answer names one. */
export function withServedTier(usage: Usage, answer: unknown): Usage {
  const servedTier = textAt(answer, 'service_tier');
  return servedTier === null || servedTier === usage.servedTier ? usage : { ...usage, servedTier };
}
