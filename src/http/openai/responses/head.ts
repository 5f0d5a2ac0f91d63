import { promptTokensOf, totalTokensOf, type Usage } from '../../../core/usage.ts';
import type { ResponseAnswer } from './answer-schema.ts';
import type { ResponseRequest } from './schema.ts';

/** What models of this machine do where a request says nothing of it; a test compares it with theirs. */
export const unsaidSampling = { temperature: 0.8, topP: 0.95 } as const;

/** A response that has nothing yet. `model`: as the client named it, until somebody answers. */
export function newResponse(
  body: ResponseRequest,
  { id, createdAtMs }: { id: string; createdAtMs: number },
): ResponseAnswer {
  const { text } = body;
  return {
    id,
    object: 'response',
    created_at: toSeconds(createdAtMs),
    status: body.background ? 'queued' : 'in_progress',
    completed_at: null,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    metadata: body.metadata ?? {},
    model: body.model ?? 'default',
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    temperature: body.temperature ?? unsaidSampling.temperature,
    top_p: body.top_p ?? unsaidSampling.topP,
    presence_penalty: body.presence_penalty ?? 0,
    frequency_penalty: body.frequency_penalty ?? 0,
    top_logprobs: body.top_logprobs ?? 0,
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    previous_response_id: body.previous_response_id ?? null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
    text: { format: text?.format ?? { type: 'text' }, ...(text?.verbosity && { verbosity: text.verbosity }) },
    truncation: body.truncation ?? 'disabled',
    usage: null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    background: body.background ?? false,
    store: body.store ?? true,
    service_tier: 'default',
    access_programs: null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    safety_identifier: body.safety_identifier ?? null,
  };
}

export function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/** Usage as this endpoint counts it, or null where the provider did not count. */
export function toResponseUsage(usage: Usage): ResponseAnswer['usage'] {
  const inputTokens = promptTokensOf(usage);
  const total = totalTokensOf(usage);
  if (inputTokens === null || usage.outputTokens === null || total === null) return null;
  return {
    input_tokens: inputTokens,
    input_tokens_details: {
      cached_tokens: usage.cacheReadTokens ?? 0,
      cache_write_tokens: (usage.cacheWrite5mTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0),
    },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: total,
  };
}
