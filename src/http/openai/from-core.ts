import { toAppError } from '../../core/errors.ts';
import type { Answer, FinishReason, StreamEvent } from '../../core/events.ts';
import { totalTokens, type Usage } from '../../core/usage.ts';
import { sseJson, sseRecord } from '../../wire/sse.ts';
import { errorObject } from './errors.ts';

/** What every chunk of an answer repeats. `created` is in seconds since the epoch. */
export interface AnswerHead {
  id: string;
  created: number;
  model: string;
}

export interface StreamOptions {
  includeUsage: boolean;
  /** Told of a failure in mid-stream, beside the client. */
  onFailure(error: unknown): void;
}

/** A whole chat answer. */
export function toChatCompletion(head: AnswerHead, answer: Answer) {
  const calls = answer.toolCalls.map((call, index) => ({
    id: call.id,
    type: 'function' as const,
    function: { name: call.name, arguments: answer.toolCallArguments[index] || '{}' },
  }));
  const message = {
    role: 'assistant' as const,
    content: answer.text === '' && calls.length > 0 ? null : answer.text,
    refusal: null,
    ...(answer.reasoning !== '' && { reasoning_content: answer.reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return {
    id: head.id,
    object: 'chat.completion' as const,
    created: head.created,
    model: head.model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: toFinishReason(answer.reason) }],
    usage: toUsage(answer.usage),
  };
}

/** A chat answer as records of its event stream. Never throws: a failure becomes a last record, without `[DONE]`. */
export async function* toChatRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions,
): AsyncGenerator<string> {
  const record = (delta: Record<string, unknown>, finish: string | null = null) =>
    sseJson({
      id: head.id,
      object: 'chat.completion.chunk',
      created: head.created,
      model: head.model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
      ...(options.includeUsage && { usage: null }),
    });
  // Counts tool calls, not blocks: text before a call must not shift its index.
  let toolIndex = -1;
  const toolRecord = (call: Record<string, unknown>) => record({ tool_calls: [{ index: toolIndex, ...call }] });
  try {
    for await (const event of events) {
      switch (event.type) {
        case 'start':
          yield record({ role: 'assistant', content: '' });
          break;
        case 'text-delta':
          if (event.text !== '') yield record({ content: event.text });
          break;
        case 'reasoning-delta':
          if (event.text !== '') yield record({ reasoning_content: event.text });
          break;
        case 'tool-call-start':
          toolIndex++;
          yield toolRecord({ id: event.id, type: 'function', function: { name: event.name, arguments: '' } });
          break;
        case 'tool-call-delta':
          if (event.argumentsText !== '') yield toolRecord({ function: { arguments: event.argumentsText } });
          break;
        case 'finish':
          yield record({}, toFinishReason(event.reason));
          if (options.includeUsage) yield usageRecord(head, 'chat.completion.chunk', event.usage);
          yield sseRecord('[DONE]');
          break;
        default:
          break;
      }
    }
  } catch (error) {
    options.onFailure(error);
    yield sseJson({ error: errorObject(toAppError(error)) });
  }
}

/** A whole answer of `/completions`. */
export function toCompletion(head: AnswerHead, answer: Answer) {
  return {
    id: head.id,
    object: 'text_completion' as const,
    created: head.created,
    model: head.model,
    choices: [{ index: 0, text: answer.text, logprobs: null, finish_reason: toFinishReason(answer.reason) }],
    usage: toUsage(answer.usage),
  };
}

/** An answer of `/completions` as records of its event stream; failures as in `toChatRecords`. */
export async function* toCompletionRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions,
): AsyncGenerator<string> {
  const record = (text: string, finish: string | null) =>
    sseJson({
      id: head.id,
      object: 'text_completion',
      created: head.created,
      model: head.model,
      choices: [{ index: 0, text, logprobs: null, finish_reason: finish }],
      ...(options.includeUsage && { usage: null }),
    });
  try {
    for await (const event of events) {
      if (event.type === 'text-delta' && event.text !== '') yield record(event.text, null);
      if (event.type === 'finish') {
        yield record('', toFinishReason(event.reason));
        if (options.includeUsage) yield usageRecord(head, 'text_completion', event.usage);
        yield sseRecord('[DONE]');
      }
    }
  } catch (error) {
    options.onFailure(error);
    yield sseJson({ error: errorObject(toAppError(error)) });
  }
}

function usageRecord(head: AnswerHead, object: string, usage: Usage): string {
  return sseJson({ id: head.id, object, created: head.created, model: head.model, choices: [], usage: toUsage(usage) });
}

/** Usage as OpenAI counts it, or null when the provider did not count: a zero would be booked as true. */
function toUsage(usage: Usage) {
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

/** A cancelled answer has no word here; its client is gone, or the server ended it with what there was. */
function toFinishReason(reason: FinishReason): 'stop' | 'length' | 'tool_calls' {
  return reason === 'cancelled' ? 'stop' : reason;
}
