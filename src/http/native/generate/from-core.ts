import { reasoningOf, textOf, toolCallsOf } from '../../../core/content.ts';
import { type Answer, coarseReason, type StreamEvent } from '../../../core/events.ts';
import { promptTokensOf, totalTokensOf, type Usage } from '../../../core/usage.ts';
import { type SseItem, toCost } from '../../answer/answer.ts';

/** What an answer says of itself beside its text. */
export interface AnswerFacts {
  model: string;
  provider: string;
  requestId: string;
  /** Milliseconds since the request came. */
  latencyMs(): number;
  /** Nano-USD, once it has ended; null: unknown. */
  costNanoUsd(): bigint | null;
}

/** A whole answer of `/generate`. */
export function toGenerateAnswer(answer: Answer, facts: AnswerFacts) {
  return { ...toContent(answer), ...toAbout(answer, facts) };
}

/** What was answered. */
export function toContent({ choices: [{ blocks }] }: Answer) {
  const reasoning = reasoningOf(blocks);
  const calls = toolCallsOf(blocks).map(({ id, name, arguments: given }) => ({ id, name, arguments: given }));
  return {
    text: textOf(blocks),
    ...(reasoning !== '' && { reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** What a whole answer says of itself. */
export function toAbout(answer: Answer, facts: AnswerFacts) {
  const latencyMs = facts.latencyMs();
  return {
    usage: toUsage(answer.usage),
    latency: Math.round(latencyMs) / 1000,
    latency_ms: Math.round(latencyMs),
    model: facts.model,
    provider: facts.provider,
    finish_reason: coarseReason(answer.choices[0].reason),
    cost: toCost(facts),
    request_id: facts.requestId,
  };
}

/** Token counts as the native dialect writes them; null is unknown. */
export function toUsage(usage: Usage) {
  return {
    prompt_tokens: promptTokensOf(usage),
    completion_tokens: usage.outputTokens,
    total_tokens: totalTokensOf(usage),
    cached_prompt_tokens: usage.cacheReadTokens,
  };
}

/**
 * An answer as records of `/generate/stream`. Every item has `token` and `finished` (third seed specification) and
 * `delta` and `index` (second). Throws whatever `events` throws.
 * `endsWithDone`: whether the stream ends with `[DONE]`, as the second seed specification has it.
 */
export async function* toGenerateRecords(
  events: AsyncIterable<StreamEvent>,
  facts: AnswerFacts,
  { endsWithDone }: { endsWithDone: boolean },
): AsyncGenerator<SseItem> {
  let index = 0;
  const item = (text: string, more: Record<string, unknown> = {}) => ({
    data: { token: text, delta: text, index: index++, finished: false, ...more },
  });
  for await (const event of events) {
    if (event.type === 'text-delta' && event.text !== '') yield item(event.text);
    if (event.type === 'reasoning-delta' && event.text !== '') yield item('', { reasoning: event.text });
    if (event.type === 'finish') {
      yield item('', {
        finished: true,
        finish_reason: coarseReason(event.reason),
        usage: toUsage(event.usage),
        latency_ms: Math.round(facts.latencyMs()),
        model: facts.model,
        provider: facts.provider,
        cost: toCost(facts),
        request_id: facts.requestId,
      });
      if (endsWithDone) yield { data: '[DONE]' };
    }
  }
}
