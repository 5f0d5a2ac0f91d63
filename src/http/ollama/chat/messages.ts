import type { ChatMessage } from '../../../core/chat.ts';
import type { ToolCallPart } from '../../../core/content.ts';
import { toImages } from '../objects/images.ts';
import type { ChatBodyMessage } from './schema.ts';

/**
 * The messages of a body in the words of the core. Clients of this dialect often send no ids: the result of a tool then
 * answers the first call of that name, or the first of all, that has no result yet.
 */
export function toMessages(messages: readonly ChatBodyMessage[]): ChatMessage[] {
  let open: ToolCallPart[] = [];
  return messages.map((message, index): ChatMessage => {
    if (message.role === 'assistant') {
      open = (message.tool_calls ?? []).map((call, at) => toCallPart(call, `call_${index}_${at}`));
      return toAssistant(message, open);
    }
    if (message.role === 'tool') {
      const called = answeredBy(message, open);
      open = open.filter((call) => call !== called);
      return toResult(message, called, `call_${index}`);
    }
    const text = { type: 'text' as const, text: message.content ?? '' };
    if (message.role === 'system') return { role: 'system', content: [text] };
    return { role: 'user', content: [text, ...toImages(message.images ?? [])] };
  });
}

function toAssistant({ thinking, content }: ChatBodyMessage, calls: ToolCallPart[]): ChatMessage {
  return {
    role: 'assistant',
    content: [
      ...(thinking
        ? [{ type: 'reasoning' as const, text: thinking, signature: null, redactedData: null, origin: null }]
        : []),
      ...(content ? [{ type: 'text' as const, text: content }] : []),
      ...calls,
    ],
  };
}

/** The call that a result is of; undefined: none of those that are open. */
function answeredBy(
  { tool_call_id, tool_name }: ChatBodyMessage,
  open: readonly ToolCallPart[],
): ToolCallPart | undefined {
  if (tool_call_id) return open.find(({ id }) => id === tool_call_id);
  return tool_name ? open.find(({ name }) => name === tool_name) : open[0];
}

/** `id`: for a result that answers no call. */
function toResult(message: ChatBodyMessage, call: ToolCallPart | undefined, id: string): ChatMessage {
  const name = message.tool_name || call?.name;
  return {
    role: 'user',
    content: [
      {
        type: 'tool-result',
        callId: call?.id ?? (message.tool_call_id || id),
        ...(name && { name }),
        isError: false,
        content: [{ type: 'text', text: message.content ?? '' }],
      },
    ],
  };
}

function toCallPart(call: NonNullable<ChatBodyMessage['tool_calls']>[number], id: string): ToolCallPart {
  const given = call.function.arguments ?? {};
  return {
    type: 'tool-call',
    id: call.id || id,
    name: call.function.name,
    arguments: given,
    argumentsText: JSON.stringify(given),
  };
}

/** Whose messages have a meaning for a field: elsewhere it says nothing to a model. */
const rolesOf = {
  images: 'user',
  thinking: 'assistant',
  tool_calls: 'assistant',
  tool_name: 'tool',
  tool_call_id: 'tool',
};

/** Names of fields of messages that change nothing where they stand, for the header that says so. */
export function ignoredInMessages(messages: readonly ChatBodyMessage[]): string[] {
  const names = Object.entries(rolesOf).filter(([name, role]) =>
    messages.some((message) => message.role !== role && hasMore(message[name as keyof typeof rolesOf])),
  );
  return names.map(([name]) => `messages.${name}`);
}

const hasMore = (value: string | readonly unknown[] | null | undefined) => (value ?? '').length > 0;
