import type { ChatMessage } from '../../core/chat.ts';
import type { ContentPart, TextPart, ToolCallPart } from '../../core/content.ts';
import { AppError } from '../../core/errors.ts';

/** A call as chat templates know it. Arguments are text where the model wrote something else than a JSON object. */
export interface ToolCall extends Pick<ToolCallPart, 'id' | 'name'> {
  arguments: Record<string, unknown> | string;
}

/** A message as chat templates know it: text, with reasoning and calls beside it, and results of tools as a role. */
export type TemplateMessage =
  | { role: 'system'; content: TextPart[] }
  | { role: 'user'; content: TextPart[] }
  | { role: 'assistant'; content: TextPart[]; reasoning?: string; toolCalls?: ToolCall[] }
  | { role: 'tool'; toolCallId: string; name?: string; content: TextPart[] };

/**
 * A conversation in the form of chat templates, turn by turn; a user turn with results of tools becomes several messages,
 * in its own order. What a template cannot show (signatures, redacted reasoning, blocks of another provider) is left out.
 * Throws `invalid_request` for images and documents: whoever lets them through to here can read them.
 */
export function toTemplateMessages(messages: readonly ChatMessage[]): TemplateMessage[] {
  return messages.flatMap((message, index) => toTemplateTurn(message, `input.messages.${index}.content`));
}

function toTemplateTurn(message: ChatMessage, field: string): TemplateMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }];
    case 'assistant':
      return [toAssistantMessage(message.content, field)];
    case 'user':
      return toUserMessages(message.content, field);
  }
}

function toAssistantMessage(parts: readonly ContentPart[], field: string): TemplateMessage {
  const content: TextPart[] = [];
  const toolCalls: ToolCall[] = [];
  let reasoning = '';
  for (const [index, part] of parts.entries()) {
    if (part.type === 'text') content.push(part);
    else if (part.type === 'reasoning') reasoning += part.text;
    else if (part.type === 'tool-call') toolCalls.push({ id: part.id, name: part.name, arguments: toArguments(part) });
    else if (part.type !== 'opaque') throw unreadable(part, `${field}.${index}`);
  }
  return {
    role: 'assistant',
    content,
    ...(reasoning !== '' && { reasoning }),
    ...(toolCalls.length > 0 && { toolCalls }),
  };
}

/** A call that was cut off or written badly is shown as it was: the model can then do better. */
function toArguments({ arguments: given, argumentsText = '' }: ToolCallPart): ToolCall['arguments'] {
  const isObject = Object.keys(given).length > 0 || /^\s*(\{\s*\})?\s*$/.test(argumentsText);
  return isObject ? given : argumentsText;
}

function toUserMessages(parts: readonly ContentPart[], field: string): TemplateMessage[] {
  const result: TemplateMessage[] = [];
  // An empty turn is a turn: a client may have sent it on purpose.
  if (parts.length === 0) return [{ role: 'user', content: [] }];
  for (const [index, part] of parts.entries()) {
    if (part.type === 'tool-result') {
      result.push({
        role: 'tool',
        toolCallId: part.callId,
        ...(part.name !== undefined && { name: part.name }),
        content: [
          // Templates know no failed results; the model is to know that it is one.
          ...(part.isError ? [{ type: 'text' as const, text: 'Error: ' }] : []),
          ...part.content.map((inner, at) => {
            if (inner.type !== 'text') throw unreadable(inner, `${field}.${index}.content.${at}`);
            return inner;
          }),
        ],
      });
    } else if (part.type === 'text') {
      const last = result.at(-1);
      if (last?.role === 'user') last.content.push(part);
      else result.push({ role: 'user', content: [part] });
    } else if (part.type !== 'opaque') throw unreadable(part, `${field}.${index}`);
  }
  return result;
}

function unreadable(part: ContentPart, field: string): AppError {
  return new AppError('invalid_request', `This model reads text; it was sent a part of type "${part.type}".`, {
    field,
  });
}
