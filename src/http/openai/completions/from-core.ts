import type { Answer, StreamEvent, TokenLogprob } from '../../../core/events.ts';
import { createCompletionLogprobs } from '../objects/logprobs.ts';
import {
  type AnswerHead,
  type ChoiceWriter,
  type StreamOptions,
  toFinishReason,
  toRecords,
} from '../objects/records.ts';
import { sumUsage, toUsage } from '../objects/usage.ts';

/** A whole answer of `/completions`, one choice for each answer. */
export function toCompletion(head: AnswerHead, answers: readonly Answer[], hasLogprobs: boolean) {
  return {
    id: head.id,
    object: 'text_completion' as const,
    created: head.created,
    model: head.model,
    choices: answers.map((answer, index) => ({
      index,
      text: answer.text,
      logprobs: hasLogprobs ? createCompletionLogprobs()(answer.logprobs) : null,
      finish_reason: toFinishReason(answer.reason),
    })),
    usage: toUsage(sumUsage(answers.map((answer) => answer.usage))),
  };
}

/** Answers of `/completions` as records of one event stream; failures as in `toRecords`. */
export function toCompletionRecords(
  head: AnswerHead,
  choices: readonly AsyncIterable<StreamEvent>[],
  options: StreamOptions,
): AsyncGenerator<string> {
  return toRecords({ ...head, object: 'text_completion' }, choices, options, createCompletionWriter);
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
      case 'finish':
        return [...(waiting.length > 0 ? [item('', null)] : []), item('', toFinishReason(event.reason))];
      default:
        return [];
    }
  };
}
