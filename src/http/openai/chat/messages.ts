import type { ChatMessage } from '../../../core/chat.ts';
import type { ReasoningPart, ToolCallPart } from '../../../core/content.ts';
import { parseJsonObject } from '../../fields/json.ts';
import { customCall } from '../objects/custom-tools.ts';
import { toAssistantTexts, toTexts, toUserContent } from './content.ts';
import type { ChatBody, ChatBodyMessage } from './schema.ts';

type BodyCall = NonNullable<Extract<ChatBodyMessage, { role: 'assistant' }>['tool_calls']>[number];
type FunctionCall = Exclude<BodyCall, { type: 'custom' }>;

/**
 * The messages of a body in the words of the core. What was said and called before is taken as it is: calls whose
 * arguments are no JSON, results that answer no call, turns without content. A conversation that holds a mistake must be
 * one that can go on. Throws `invalid_request` for parts that nobody could read.
 */
export function toMessages(messages: ChatBody['messages']): ChatMessage[] {
  /** Ids of the calls of OpenAI's older form, which has none, by the name of the function. */
  const idOfFunction = new Map<string, string>();
  return messages.map((message, index) => toMessage(message, index, idOfFunction));
}

function toMessage(message: ChatBodyMessage, index: number, idOfFunction: Map<string, string>): ChatMessage {
  const field = `messages.${index}`;
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: toTexts(message.content ?? [], field) };
    case 'user':
      return { role: 'user', content: toUserContent(message.content ?? [], field) };
    case 'assistant': {
      const calls = (message.tool_calls ?? []).map((call, at) => toCall(call, `call_${index}_${at}`));
      const called = message.function_call ?? null;
      if (called) {
        const id = `call_${index}`;
        idOfFunction.set(called.name, id);
        calls.push(toToolCall({ function: called }, id));
      }
      return {
        role: 'assistant',
        content: [
          ...(message.reasoning_content ? [toReasoning(message.reasoning_content)] : []),
          ...toAssistantTexts(message.content ?? []),
          ...toAssistantTexts(message.refusal ?? []),
          ...calls,
        ],
      };
    }
    case 'tool':
    case 'function': {
      const name = message.name ?? null;
      const callId = message.role === 'tool' ? message.tool_call_id : idOfFunction.get(name ?? '');
      const content = toTexts(message.content ?? [], field);
      return {
        role: 'user',
        content: [
          {
            type: 'tool-result',
            callId: callId || `call_${index}`,
            ...(name && { name }),
            isError: false,
            content,
          },
        ],
      };
    }
  }
}

/** What this dialect has of reasoning: words without a proof of whose they are. */
function toReasoning(text: string): ReasoningPart {
  return { type: 'reasoning', text, signature: null, redactedData: null, origin: null };
}

/** `id`: for a call that has none. */
function toCall(call: BodyCall, id: string): ToolCallPart {
  if (call.type === 'custom') return customCall(call.id || id, call.custom.name, call.custom.input);
  return toToolCall(call, id);
}

function toToolCall(call: Pick<FunctionCall, 'id' | 'function'>, id: string): ToolCallPart {
  const { name, arguments: given } = call.function;
  const argumentsText = typeof given === 'string' ? given : JSON.stringify(given ?? {});
  return { type: 'tool-call', id: call.id || id, name, arguments: toArguments(argumentsText), argumentsText };
}

/**
 * Empty where the text is no JSON object that a body could have held. Models that call a function without parameters
 * leave the text empty, those that were cut off leave half of it.
 */
function toArguments(text: string): Record<string, unknown> {
  try {
    return parseJsonObject(text);
  } catch {
    // The text itself goes on beside it.
    return {};
  }
}
