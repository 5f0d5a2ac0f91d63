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
  return toLines(head, events, (piece) => ({ message: toMessage(piece) }));
}

function toMessage(piece: Piece) {
  const role = 'assistant';
  switch (piece.type) {
    case 'text':
      return { role, content: piece.text };
    case 'thinking':
      return { role, content: '', thinking: piece.text };
    case 'call':
      return { role, content: '', tool_calls: [piece.call] };
    case 'end':
      return { role, content: '' };
  }
}
