import type { ChatInput, ChatMessage, ChatRequest, ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import type { ReasoningPart, ToolCallPart } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import { toTexts, toUserContent } from './content.ts';
import { toFormat } from './response-format.ts';
import type { ChatBody, ChatBodyMessage } from './schema.ts';

const maxToolBytes = 256 * 1024;

/** A chat body in the words of the core. Throws `invalid_request` for what the schema cannot see or we do not have. */
export function chatToCore(body: ChatBody): ChatRequest {
  if (!body.logprobs && (body.top_logprobs ?? 0) > 0) {
    throw new AppError('invalid_request', '"top_logprobs" needs "logprobs": true.', { field: 'top_logprobs' });
  }
  const tools = toTools(body.tools ?? []);
  const input: ChatInput = {
    type: 'chat',
    messages: toMessages(body.messages),
    tools,
    toolChoice: toToolChoice(body.tool_choice ?? null, tools),
    ...(body.chat_template_kwargs && { templateOptions: body.chat_template_kwargs }),
  };
  return {
    ...toCommon(body, body.max_completion_tokens ?? body.max_tokens ?? null),
    input,
    ...(body.response_format && { format: toFormat(body.response_format) }),
    ...(body.logprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
  };
}

function toMessages(messages: ChatBodyMessage[]): ChatMessage[] {
  if (messages.every((message) => message.role === 'system' || message.role === 'developer')) {
    throw new AppError('invalid_request', '"messages" holds instructions only; at least one user message is needed.', {
      field: 'messages',
    });
  }
  const callIds = new Set<string>();
  return messages.map((message, index) => toMessage(message, `messages.${index}`, callIds));
}

/** `callIds`: ids of the tool calls of the messages before this one; this one's are added. */
function toMessage(message: ChatBodyMessage, field: string, callIds: Set<string>): ChatMessage {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: toTexts(message.content, field) };
    case 'user':
      return { role: 'user', content: toUserContent(message.content, field) };
    case 'assistant': {
      const calls = (message.tool_calls ?? []).map((call, index) => toToolCall(call, `${field}.tool_calls.${index}`));
      for (const call of calls) callIds.add(call.id);
      const content = message.content ?? null;
      if (content === null && calls.length === 0) {
        throw new AppError('invalid_request', `"${field}.content" is required where there are no tool calls.`, {
          field: `${field}.content`,
        });
      }
      return {
        role: 'assistant',
        content: [
          ...(message.reasoning_content ? [toReasoning(message.reasoning_content)] : []),
          ...(content === null ? [] : toTexts(content, field)),
          ...calls,
        ],
      };
    }
    case 'tool':
      if (!callIds.has(message.tool_call_id)) {
        throw new AppError('invalid_request', `"${field}.tool_call_id" answers no tool call of an earlier message.`, {
          field: `${field}.tool_call_id`,
        });
      }
      return {
        role: 'user',
        content: [
          {
            type: 'tool-result',
            callId: message.tool_call_id,
            isError: false,
            content: toTexts(message.content, field),
          },
        ],
      };
  }
}

/** What this dialect has of reasoning: words without a proof of whose they are. */
function toReasoning(text: string): ReasoningPart {
  return { type: 'reasoning', text, signature: null, redactedData: null, origin: null };
}

function toToolCall(call: { id: string; function: { name: string; arguments: string } }, field: string): ToolCallPart {
  const { name, arguments: argumentsText } = call.function;
  return { type: 'tool-call', id: call.id, name, arguments: toArguments(argumentsText, field), argumentsText };
}

function toArguments(text: string, callField: string): Record<string, unknown> {
  const field = `${callField}.function.arguments`;
  let value: unknown;
  try {
    // Models that call a function without parameters often leave the text empty, and clients send it back as it was.
    value = text.trim() === '' ? {} : JSON.parse(text);
  } catch (cause) {
    throw new AppError('invalid_request', `"${field}" is not valid JSON.`, { field, cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new AppError('invalid_request', `"${field}" must be a JSON object.`, { field });
  }
  return value as Record<string, unknown>;
}

function toTools(tools: NonNullable<ChatBody['tools']>): ToolDefinition[] {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) > maxToolBytes) {
    throw new AppError('invalid_request', `"tools" is larger than ${maxToolBytes / 1024} KiB.`, { field: 'tools' });
  }
  const names = new Set<string>();
  return tools.map(({ function: definition }, index) => {
    const field = `tools.${index}.function`;
    if (names.has(definition.name)) {
      const message = `"${field}.name" repeats the name "${definition.name}".`;
      throw new AppError('invalid_request', message, { field: `${field}.name` });
    }
    names.add(definition.name);
    const parameters = definition.parameters ?? null;
    if (parameters !== null && Object.keys(parameters).length > 0 && parameters['type'] !== 'object') {
      throw new AppError('invalid_request', `"${field}.parameters" must be a JSON Schema of type object.`, {
        field: `${field}.parameters`,
      });
    }
    return {
      name: definition.name,
      ...(definition.description && { description: definition.description }),
      ...(parameters !== null && { parameters }),
    };
  });
}

function toToolChoice(choice: NonNullable<ChatBody['tool_choice']> | null, tools: ToolDefinition[]): ToolChoice {
  const needsTools = choice !== null && choice !== 'auto' && choice !== 'none';
  if (needsTools && tools.length === 0) {
    throw new AppError('invalid_request', '"tool_choice" needs "tools".', { field: 'tool_choice' });
  }
  if (choice === null) return { type: 'auto' };
  if (typeof choice === 'string') return { type: choice };
  const { name } = choice.function;
  if (!tools.some((tool) => tool.name === name)) {
    throw new AppError('invalid_request', `"tool_choice" names "${name}", which is not in "tools".`, {
      field: 'tool_choice',
    });
  }
  return { type: 'tool', name };
}
