import type { Usage } from '../../../core/usage.ts';

/** Usage as Anthropic counts it: each token of the prompt in one count only. */
export function toUsage(usage: Usage) {
  const { cacheWrite5mTokens: shortWrites, cacheWrite1hTokens: longWrites } = usage;
  return {
    // The shape has no word for what nobody counted.
    input_tokens: usage.inputTokens ?? 0,
    cache_creation_input_tokens: (shortWrites ?? 0) + (longWrites ?? 0),
    cache_read_input_tokens: usage.cacheReadTokens ?? 0,
    cache_creation: { ephemeral_5m_input_tokens: shortWrites ?? 0, ephemeral_1h_input_tokens: longWrites ?? 0 },
    output_tokens: usage.outputTokens ?? 0,
    output_tokens_details: { thinking_tokens: usage.reasoningTokens ?? 0 },
    server_tool_use: null,
    service_tier: null,
    speed: null,
    inference_geo: null,
  };
}

/** The same at the end of a stream, cumulative. */
export function toFinalUsage(usage: Usage) {
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens, output_tokens, output_tokens_details } =
    toUsage(usage);
  return {
    input_tokens,
    cache_creation_input_tokens,
    cache_read_input_tokens,
    output_tokens,
    output_tokens_details,
    server_tool_use: null,
  };
}
