import { textOf } from '../../../core/content.ts';
import type { Answer, StreamEvent, TokenLogprob } from '../../../core/events.ts';
import type { SseItem } from '../../answer/answer.ts';
import { createCompletionLogprobs } from '../objects/logprobs.ts';
import {
  type AnswerHead,
  type ChoiceWriter,
  type StreamOptions,
  toFinishReason,
  toRecords,
  toWhole,
} from '../objects/records.ts';

/** A whole answer of `/completions`. */
export function toCompletion(head: AnswerHead, answer: Answer, hasLogprobs: boolean) {
  return toWhole({ ...head, object: 'text_completion' }, answer, ({ blocks, logprobs }) => ({
    text: textOf(blocks),
    logprobs: hasLogprobs ? createCompletionLogprobs()(logprobs) : null,
  }));
}

/** An answer of `/completions` as records of one event stream. */
export function toCompletionRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions,
): AsyncGenerator<SseItem> {
  return toRecords({ ...head, object: 'text_completion' }, events, options, createCompletionWriter);
}

function createCompletionWriter(index: number): ChoiceWriter {
  const describe = createCompletionLogprobs();
  let waiting: TokenLogprob[] = [];
  const item = (text: string, finish: string | null) => {
    const logprobs = waiting.length > 0 ? describe(waiting) : null;
    waiting = [];
    return { index, text, logprobs, finish_reason: finish };
  };
  return (event) => {
    switch (event.type) {
      case 'logprobs':
        waiting.push(...event.tokens);
        return [];
      case 'text-delta':
        return event.text === '' ? [] : [item(event.text, null)];
      case 'end':
        return [...(waiting.length > 0 ? [item('', null)] : []), item('', toFinishReason(event.reason))];
      default:
        return [];
    }
  };
}
