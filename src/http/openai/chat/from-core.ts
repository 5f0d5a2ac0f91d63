import { type AssistantPart, reasoningOf, textOf, toolCallsOf } from '../../../core/content.ts';
import type { Answer, StreamEvent, TokenLogprob } from '../../../core/events.ts';
import type { SseItem } from '../../answer/answer.ts';
import { toChatLogprobs } from '../objects/logprobs.ts';
import {
  type AnswerHead,
  type ChoiceWriter,
  type StreamOptions,
  toFinishReason,
  toRecords,
  toWhole,
} from '../objects/records.ts';

/** A whole chat answer. `isOlderForm`: its call is a `function_call`. */
export function toChatCompletion(
  head: AnswerHead,
  answer: Answer,
  { hasLogprobs, isOlderForm }: { hasLogprobs: boolean; isOlderForm: boolean },
) {
  return toWhole({ ...head, object: 'chat.completion' }, answer, ({ blocks, logprobs, reason }) => ({
    message: toMessage(blocks, toFinishReason(reason), isOlderForm),
    logprobs: hasLogprobs ? toChatLogprobs(logprobs) : null,
    finish_reason: inForm(toFinishReason(reason), isOlderForm),
  }));
}

type OpenAiReason = ReturnType<typeof toFinishReason>;

function inForm(reason: OpenAiReason, isOlderForm: boolean): OpenAiReason | 'function_call' {
  return reason === 'tool_calls' && isOlderForm ? 'function_call' : reason;
}

function toMessage(blocks: readonly AssistantPart[], reason: OpenAiReason, isOlderForm: boolean) {
  const text = textOf(blocks);
  const reasoning = reasoningOf(blocks);
  const calls = toolCallsOf(blocks).map((call) => ({
    id: call.id,
    type: 'function' as const,
    // Of a call that was cut off before them it must not look as if there were none.
    function: { name: call.name, arguments: call.argumentsText || (reason === 'tool_calls' ? '{}' : '') },
  }));
  return {
    role: 'assistant' as const,
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && (isOlderForm ? { function_call: calls[0]!.function } : { tool_calls: calls })),
  };
}

/** A chat answer as records of one event stream. */
export function toChatRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions & { isOlderForm: boolean },
): AsyncGenerator<SseItem> {
  return toRecords({ ...head, object: 'chat.completion.chunk' }, events, options, (index) =>
    createChatWriter(index, options.isOlderForm),
  );
}

function createChatWriter(index: number, isOlderForm: boolean): ChoiceWriter {
  // Tokens wait for the chunk that shows what they wrote; the text of several may come at once.
  let waiting: TokenLogprob[] = [];
  // Counts tool calls, not blocks: text before a call must not shift its index.
  let toolIndex = -1;
  const chunk = (delta: Record<string, unknown>, finish: string | null = null) => {
    const logprobs = waiting.length > 0 ? toChatLogprobs(waiting) : null;
    waiting = [];
    return { index, delta, logprobs, finish_reason: finish };
  };
  const toolChunk = (named: Record<string, unknown>, called: { name?: string; arguments: string }) =>
    chunk(isOlderForm ? { function_call: called } : { tool_calls: [{ index: toolIndex, ...named, function: called }] });
  return (event) => {
    switch (event.type) {
      case 'start':
        return [chunk({ role: 'assistant', content: '' })];
      case 'progress':
        return [chunk({})];
      case 'logprobs':
        waiting.push(...event.tokens);
        return [];
      case 'text-delta':
        return event.text === '' ? [] : [chunk({ content: event.text })];
      case 'reasoning-delta':
        return event.text === '' ? [] : [chunk({ reasoning_content: event.text })];
      case 'tool-call-start':
        toolIndex++;
        return [toolChunk({ id: event.id, type: 'function' }, { name: event.name, arguments: '' })];
      case 'tool-call-delta':
        return event.argumentsText === '' ? [] : [toolChunk({}, { arguments: event.argumentsText })];
      case 'end':
        return [
          ...(waiting.length > 0 ? [chunk({ content: '' })] : []),
          chunk({}, inForm(toFinishReason(event.reason), isOlderForm)),
        ];
      default:
        return [];
    }
  };
}
