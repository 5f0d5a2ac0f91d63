import type { ChatInput, ChatRequest, ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { toCommon } from '../objects/common-to-core.ts';
import { toMessages } from './messages.ts';
import { toFormat } from './response-format.ts';
import type { ChatBody } from './schema.ts';

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
    ...(body.parallel_tool_calls === false && { parallelToolCalls: false }),
    ...(body.chat_template_kwargs && { templateOptions: body.chat_template_kwargs }),
  };
  return {
    ...toCommon(body, body.max_completion_tokens ?? body.max_tokens ?? null),
    input,
    ...(body.response_format && { format: toFormat(body.response_format) }),
    ...(body.logprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
  };
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
