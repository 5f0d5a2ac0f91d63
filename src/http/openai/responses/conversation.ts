import type { z } from 'zod';
import type { ChatMessage } from '../../../core/chat.ts';
import type { AssistantPart, ReasoningPart, ToolCallPart, UserPart } from '../../../core/content.ts';
import { parseArguments } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';
import { droppedIn } from '../../fields/dropped.ts';
import { type BodyContent, textAt, toParts, toSaid, toTexts } from './content.ts';
import { isItemType, itemSchemas } from './item-schemas.ts';
import { joinedName } from './namespaces.ts';
import { parsed } from './parsed.ts';
import type { BodyTool, InputItem, PromptRequest } from './schema.ts';
import type { Sealed } from './sealed.ts';
import { customInputName } from './tools.ts';

/** An item, and the field that brought it. */
export interface PlacedItem {
  item: InputItem;
  field: string;
}

/** What the items of a conversation say. */
export interface Conversation {
  messages: ChatMessage[];
  /** Paths of the core and the fields that they came from. */
  names: Record<string, string>;
  /** Tools that came with the conversation. */
  tools: { tool: BodyTool; field: string }[];
  /** The last change of how to answer, each null where there was none. */
  reasoning: PromptRequest['reasoning'];
  text: PromptRequest['text'];
  /** What changes nothing, for `x-hearth-ignored`. */
  ignored: string[];
}

/** What an item says, and whose turn it is. Results of tools stand in the user's. */
type Saying =
  | { role: 'system'; content: BodyContent }
  | { role: 'user'; parts: readonly UserPart[] }
  | { role: 'assistant'; parts: readonly AssistantPart[] };

/**
 * Items in the words of the core: what the model said, thought and called in one go is one turn, and so are results of tools
 * in a row. Items that stand for others (`item_reference`) must have been replaced. Throws `invalid_request` that names the
 * item for types that nobody here reads, and for what the schema of its type does not allow.
 */
export function toConversation(items: readonly PlacedItem[], sealed: Sealed): Conversation {
  const conversation: Conversation = {
    messages: [],
    names: {},
    tools: [],
    reasoning: null,
    text: null,
    ignored: [],
  };
  const { messages, names } = conversation;
  /** What the last turn is made of, where more may join it. */
  let open: 'assistant' | 'results' | null = null;
  for (const { item, field } of items) {
    const saying = toSaying(item, field, { conversation, sealed });
    if (saying === null) continue;
    const kind = kindOf(saying);
    const last = messages.at(-1);
    if (kind !== null && kind === open && last && saying.role !== 'system') {
      const content: (UserPart | AssistantPart)[] = last.content;
      for (const part of saying.parts) {
        names[`input.messages.${messages.length - 1}.content.${content.length}`] = field;
        content.push(part);
      }
    } else {
      names[`input.messages.${messages.length}`] = field;
      messages.push(toMessage(saying, field));
    }
    open = kind;
  }
  return conversation;
}

function kindOf(saying: Saying): 'assistant' | 'results' | null {
  if (saying.role === 'assistant') return 'assistant';
  return saying.role === 'user' && saying.parts.some(({ type }) => type === 'tool-result') ? 'results' : null;
}

function toMessage(saying: Saying, field: string): ChatMessage {
  switch (saying.role) {
    case 'system':
      return { role: 'system', content: toTexts(saying.content, `${field}.content`) };
    case 'user':
      return { role: 'user', content: [...saying.parts] };
    case 'assistant':
      return { role: 'assistant', content: [...saying.parts] };
  }
}

/** The type of an item, where it is left out too. */
function typeOf(item: InputItem, field: string): string {
  if (typeof item.type === 'string') return item.type;
  if ('role' in item) return 'message';
  if ('id' in item && !('content' in item)) return 'item_reference';
  throw new AppError('invalid_request', `"${field}.type" is required.`, { field: `${field}.type` });
}

/** What an item says; null: nothing, or it says how to answer, which goes into `conversation`. */
function toSaying(
  item: InputItem,
  field: string,
  { conversation, sealed }: { conversation: Conversation; sealed: Sealed },
): Saying | null {
  const type = typeOf(item, field);
  if (!isItemType(type)) {
    throw new AppError('invalid_request', `"${field}" is of type "${type}", which no model of this server reads.`, {
      field: `${field}.type`,
    });
  }
  const read = <Schema extends z.ZodType>(schema: Schema) => {
    const found = parsed(schema, item, field);
    conversation.ignored.push(...droppedIn(withoutOwnCaller(item), found, 'input'));
    return found;
  };
  const user = (...parts: UserPart[]): Saying => ({ role: 'user', parts });
  const assistant = (...parts: AssistantPart[]): Saying => ({ role: 'assistant', parts });
  const result = (callId: string, output: BodyContent, isError = false) =>
    user({ type: 'tool-result', callId, isError, content: toParts(output, `${field}.output`) });
  switch (type) {
    case 'message': {
      const { role, content } = read(itemSchemas.message);
      if (role === 'user') return user(...toParts(content, `${field}.content`));
      if (role === 'assistant') return assistant(...toSaid(content, `${field}.content`));
      return { role: 'system', content };
    }
    case 'function_call': {
      const call = read(itemSchemas.function_call);
      return assistant(toCall(call.call_id, joinedName(call.namespace, call.name), call.arguments));
    }
    case 'custom_tool_call': {
      const call = read(itemSchemas.custom_tool_call);
      const given = { [customInputName]: call.input };
      return assistant(toCall(call.call_id, joinedName(call.namespace, call.name), JSON.stringify(given)));
    }
    case 'local_shell_call': {
      const { call_id, action } = read(itemSchemas.local_shell_call);
      const { type: _exec, ...given } = withoutNulls(action);
      return assistant(toCall(call_id, 'local_shell', JSON.stringify(given)));
    }
    case 'apply_patch_call': {
      const { call_id, operation } = read(itemSchemas.apply_patch_call);
      return assistant(toCall(call_id, 'apply_patch', JSON.stringify(operation)));
    }
    case 'function_call_output':
    case 'custom_tool_call_output': {
      const { call_id, output } = read(itemSchemas[type]);
      return result(call_id, output);
    }
    case 'local_shell_call_output': {
      const { id, call_id, output } = read(itemSchemas.local_shell_call_output);
      const callId = call_id ?? id;
      if (!callId) throw new AppError('invalid_request', `"${field}.id" is required.`, { field: `${field}.id` });
      return result(callId, output);
    }
    case 'apply_patch_call_output': {
      const { call_id, status, output } = read(itemSchemas.apply_patch_call_output);
      return result(call_id, output ? `${status}: ${output}` : status, status === 'failed');
    }
    case 'reasoning': {
      const part = toReasoning(read(itemSchemas.reasoning), field, { conversation, sealed });
      return part && assistant(part);
    }
    case 'compaction': {
      const summary = sealed.openSummary(read(itemSchemas.compaction).encrypted_content);
      if (summary === null) {
        throw new AppError(
          'invalid_request',
          `"${field}.encrypted_content" was not made by this server for this key.`,
          {
            field: `${field}.encrypted_content`,
            fix: 'Send the conversation itself, or what /v1/responses/compact makes of it.',
          },
        );
      }
      return user({ type: 'text', text: summary });
    }
    case 'configuration_update': {
      const { reasoning, text } = read(itemSchemas.configuration_update);
      conversation.reasoning = reasoning ?? conversation.reasoning;
      conversation.text = text ?? conversation.text;
      return null;
    }
    case 'additional_tools': {
      const { tools } = read(itemSchemas.additional_tools);
      conversation.tools.push(...tools.map((tool, index) => ({ tool, field: `${field}.tools.${index}` })));
      return null;
    }
    case 'item_reference':
      throw new Error('a reference was not replaced');
  }
}

/** What the model thought: ours as it was, that of others as far as it can be read; null: not at all. */
function toReasoning(
  item: z.infer<typeof itemSchemas.reasoning>,
  field: string,
  { conversation, sealed }: { conversation: Conversation; sealed: Sealed },
): ReasoningPart | null {
  const encrypted = textAt(item, 'encrypted_content');
  const own = encrypted === null ? null : sealed.openReasoning(encrypted);
  if (own !== null) return own;
  // Made by another service, or for another key: it proves nothing here, and the words beside it are worth reading.
  if (encrypted !== null) conversation.ignored.push('input.encrypted_content');
  const said = [item.content, item.summary].map((parts) => (parts ? toTexts(parts, `${field}.content`) : []));
  const text = said.map((texts) => texts.map((part) => part.text).join('\n\n')).find((joined) => joined !== '');
  if (text === undefined) return null;
  return { type: 'reasoning', text, signature: null, redactedData: null, origin: null };
}

function toCall(id: string, name: string, argumentsText: string): ToolCallPart {
  return { type: 'tool-call', id, name, arguments: parseArguments(argumentsText), argumentsText };
}

/** That the model itself made a call is what a call is. */
function withoutOwnCaller({ caller, ...item }: InputItem): InputItem {
  const isOwn = typeof caller === 'object' && caller !== null && 'type' in caller && caller.type === 'direct';
  return isOwn || caller === undefined ? item : { ...item, caller };
}

function withoutNulls(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}
