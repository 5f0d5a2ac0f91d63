import { reasoningOf, textOf } from '../../../core/content.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import { promptTokensOf, type Usage } from '../../../core/usage.ts';
import { beginLine, type Head, toEnding, toLines, toLogprobs } from '../objects/records.ts';

/** `requestId`: where the answer carries the shape of the first seed specification too; null: it does not. */
export interface GenerateHead extends Head {
  requestId: string | null;
  /** In USD, once the answer has ended; null: unknown. */
  cost: () => number | null;
}

/** A whole answer to one prompt. */
export function toGenerateAnswer(head: GenerateHead, answer: Answer) {
  const [{ blocks, logprobs, reason }] = answer.choices;
  const response = textOf(blocks);
  const thinking = reasoningOf(blocks);
  return {
    ...beginLine(head),
    response,
    ...(thinking !== '' && { thinking }),
    ...toEnding(head, { ...answer, reason }),
    ...(answer.tokens && { context: answer.tokens }),
    ...(logprobs.length > 0 && { logprobs: toLogprobs(logprobs) }),
    ...(head.requestId !== null && { request_id: head.requestId, output: response, ...toTotals(head, answer.usage) }),
  };
}

/** The answer as lines. */
export function toGenerateLines(head: GenerateHead, events: AsyncIterable<StreamEvent>): AsyncGenerator<object> {
  const id = head.requestId === null ? null : { request_id: head.requestId };
  return toLines(
    head,
    events,
    (piece) =>
      piece.type === 'thinking'
        ? { response: '', thinking: piece.text }
        : { response: piece.type === 'text' ? piece.text : '' },
    ({ tokens, usage }) => ({ ...(tokens && { context: tokens }), ...id, ...(id && toTotals(head, usage)) }),
  );
}

function toTotals({ cost }: Pick<GenerateHead, 'cost'>, usage: Usage) {
  return { usage: toUsage(usage), cost: cost() };
}

function toUsage(usage: Usage) {
  return { input_tokens: promptTokensOf(usage) ?? 0, output_tokens: usage.outputTokens ?? 0 };
}
