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

/** A whole answer of `/completions`. `echoOf`: what stands before the text of a choice. */
export function toCompletion(
  head: AnswerHead,
  answer: Answer,
  { hasLogprobs, echoOf }: { hasLogprobs: boolean; echoOf: (choice: number) => string },
) {
  return toWhole({ ...head, object: 'text_completion' }, answer, ({ blocks, logprobs, reason }, index) => ({
    text: echoOf(index) + textOf(blocks),
    logprobs: hasLogprobs ? createCompletionLogprobs()(logprobs) : null,
    finish_reason: toFinishReason(reason),
  }));
}

/** An answer of `/completions` as records of one event stream. */
export function toCompletionRecords(
  head: AnswerHead,
  events: AsyncIterable<StreamEvent>,
  options: StreamOptions & { echoOf: (choice: number) => string },
): AsyncGenerator<SseItem> {
  return toRecords({ ...head, object: 'text_completion' }, events, options, (index) =>
    createCompletionWriter(index, options.echoOf(index)),
  );
}

function createCompletionWriter(index: number, echo: string): ChoiceWriter {
  const describe = createCompletionLogprobs();
  let waiting: TokenLogprob[] = [];
  const item = (text: string, finish: string | null) => {
    const logprobs = waiting.length > 0 ? describe(waiting) : null;
    waiting = [];
    return { index, text, logprobs, finish_reason: finish };
  };
  return (event) => {
    switch (event.type) {
      case 'start':
        return echo === '' ? [] : [item(echo, null)];
      case 'progress':
        return [item('', null)];
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
