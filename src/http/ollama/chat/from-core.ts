import { reasoningOf, textOf, toolCallsOf } from '../../../core/content.ts';
import type { Answer, StreamEvent } from '../../../core/events.ts';
import { beginLine, type Head, type Piece, toCall, toEnding, toLines, toLogprobs } from '../objects/records.ts';

/** A whole chat answer. */
export function toChatAnswer(head: Head, answer: Answer) {
  const [{ blocks, logprobs, reason }] = answer.choices;
  const thinking = reasoningOf(blocks);
  const calls = toolCallsOf(blocks).map((call, index) => toCall(call, index, call.arguments));
  return {
    ...beginLine(head),
    message: {
      role: 'assistant' as const,
      content: textOf(blocks),
      ...(thinking !== '' && { thinking }),
      ...(calls.length > 0 && { tool_calls: calls }),
    },
    ...toEnding(head, { ...answer, reason }),
    ...(logprobs.length > 0 && { logprobs: toLogprobs(logprobs) }),
  };
}

/** A chat answer as lines. */
export function toChatLines(head: Head, events: AsyncIterable<StreamEvent>): AsyncGenerator<object> {
  return toLines(head, events, (piece) => ({ message: { role: 'assistant', ...toMessage(piece) } }));
}

function toMessage(piece: Piece) {
  switch (piece.type) {
    case 'text':
      return { content: piece.text };
    case 'thinking':
      return { content: '', thinking: piece.text };
    case 'call':
      return { content: '', tool_calls: [piece.call] };
    case 'end':
      return { content: '' };
  }
}
