import { type AssistantPart, reasoningOf, type ToolCallPart, textOf, toolCallsOf } from '../../../core/content.ts';
import type { Answer, StreamEvent, TokenLogprob } from '../../../core/events.ts';
import type { SseItem } from '../../answer/answer.ts';
import { type CustomInputReader, createCustomInputReader, customInput } from '../objects/custom-tools.ts';
import { toChatLogprobs } from '../objects/logprobs.ts';
import {
  type AnswerHead,
  type ChoiceWriter,
  type StreamOptions,
  toFinishReason,
  toRecords,
  toWhole,
} from '../objects/records.ts';

/** How calls are worded. */
interface CallForm {
  /** A call is a `function_call`, and there is one at most. */
  isOlderForm: boolean;
  /** Tools that take text instead of JSON. */
  customNames: ReadonlySet<string>;
}

/** A whole chat answer. */
export function toChatCompletion(head: AnswerHead, answer: Answer, form: CallForm & { hasLogprobs: boolean }) {
  return toWhole({ ...head, object: 'chat.completion' }, answer, ({ blocks, logprobs, reason }) => ({
    message: toMessage(blocks, toFinishReason(reason), form),
    logprobs: form.hasLogprobs ? toChatLogprobs(logprobs) : null,
    finish_reason: inForm(toFinishReason(reason), form.isOlderForm),
  }));
}

type OpenAiReason = ReturnType<typeof toFinishReason>;

function inForm(reason: OpenAiReason, isOlderForm: boolean): OpenAiReason | 'function_call' {
  return reason === 'tool_calls' && isOlderForm ? 'function_call' : reason;
}

function toMessage(blocks: readonly AssistantPart[], reason: OpenAiReason, { isOlderForm, customNames }: CallForm) {
  const text = textOf(blocks);
  const reasoning = reasoningOf(blocks);
  const calls = toolCallsOf(blocks);
  return {
    role: 'assistant' as const,
    content: text === '' && calls.length > 0 ? null : text,
    refusal: null,
    annotations: toAnnotations(blocks),
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 &&
      (isOlderForm
        ? { function_call: toFunction(calls[0]!, reason) }
        : {
            tool_calls: calls.map((call) =>
              customNames.has(call.name)
                ? { id: call.id, type: 'custom' as const, custom: { name: call.name, input: customInput(call) } }
                : { id: call.id, type: 'function' as const, function: toFunction(call, reason) },
            ),
          })),
  };
}

/** Of a call that was cut off before its arguments it must not look as if there were none. */
function toFunction({ name, argumentsText }: ToolCallPart, reason: OpenAiReason) {
  return { name, arguments: argumentsText || (reason === 'tool_calls' ? '{}' : '') };
}

/** What texts rest on, where that has an address; a citation counts for the whole text that it came with. */
function toAnnotations(blocks: readonly AssistantPart[]) {
  let end = 0;
  return blocks.flatMap((block) => {
    if (block.type !== 'text') return [];
    const start = end;
    end += block.text.length;
    return (block.citations ?? []).flatMap(({ title, url }) =>
      url === null
        ? []
        : [
            {
              type: 'url_citation' as const,
              url_citation: { start_index: start, end_index: end, title: title ?? '', url },
            },
          ],
    );
  });
}

/** A chat answer as records of one event stream. */
export function toChatRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions & CallForm,
): AsyncGenerator<SseItem> {
  return toRecords({ ...head, object: 'chat.completion.chunk' }, events, options, (index) =>
    createChatWriter(index, options),
  );
}

function createChatWriter(index: number, { isOlderForm, customNames }: CallForm): ChoiceWriter {
  // Tokens wait for the chunk that shows what they wrote; the text of several may come at once.
  let waiting: TokenLogprob[] = [];
  // Counts tool calls, not blocks: text before a call must not shift its index.
  let toolIndex = -1;
  /** Reads the text of a custom tool out of the call under way; null: it is one of a function. */
  let custom: CustomInputReader | null = null;
  const chunk = (delta: Record<string, unknown>, finish: string | null = null) => {
    const logprobs = waiting.length > 0 ? toChatLogprobs(waiting) : null;
    waiting = [];
    return { index, delta, logprobs, finish_reason: finish };
  };
  const toolChunk = (named: Record<string, unknown>, called: { name?: string; arguments: string }) =>
    chunk(isOlderForm ? { function_call: called } : { tool_calls: [{ index: toolIndex, ...named, function: called }] });
  const customChunk = (input: string) => chunk({ tool_calls: [{ index: toolIndex, custom: { input } }] });
  return (event) => {
    switch (event.type) {
      case 'start':
        return [chunk({ role: 'assistant', content: '', refusal: null })];
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
        custom = customNames.has(event.name) ? createCustomInputReader() : null;
        return custom
          ? [
              chunk({
                tool_calls: [
                  { index: toolIndex, id: event.id, type: 'custom', custom: { name: event.name, input: '' } },
                ],
              }),
            ]
          : [toolChunk({ id: event.id, type: 'function' }, { name: event.name, arguments: '' })];
      case 'tool-call-delta': {
        if (event.argumentsText === '') return [];
        if (!custom) return [toolChunk({}, { arguments: event.argumentsText })];
        const input = custom.push(event.argumentsText);
        return input === '' ? [] : [customChunk(input)];
      }
      case 'tool-call-end': {
        const rest = custom?.end() ?? '';
        custom = null;
        return rest === '' ? [] : [customChunk(rest)];
      }
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
