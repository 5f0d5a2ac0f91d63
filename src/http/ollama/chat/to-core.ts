import type { ChatRequest, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { assertTakesObject } from '../../fields/tool-parameters.ts';
import { toCoreWishes } from '../objects/wishes.ts';
import { toMessages } from './messages.ts';
import type { ChatBody } from './schema.ts';

const maxToolBytes = 256 * 1024;

/** A chat body in the words of the core. Throws `invalid_request` for what the schema cannot see. */
export function chatToCore(body: ChatBody): ChatRequest {
  const messages = body.messages ?? [];
  const last = messages.at(-1);
  return {
    ...toCoreWishes(body),
    input: {
      type: 'chat',
      messages: toMessages(messages),
      tools: toTools(body.tools ?? []),
      toolChoice: { type: 'auto' },
      // A conversation that ends with the model's own words is one to go on with.
      ...(last?.role === 'assistant' && last.content && !last.tool_calls?.length && { continuesLast: true }),
    },
  };
}

function toTools(tools: NonNullable<ChatBody['tools']>): ToolDefinition[] {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) > maxToolBytes) {
    throw new AppError('invalid_request', `"tools" is larger than ${maxToolBytes / 1024} KiB.`, { field: 'tools' });
  }
  const names = new Set<string>();
  return tools.map(({ function: { name, description, parameters } }, index) => {
    const field = `tools.${index}.function`;
    if (names.has(name)) {
      const message = `"${field}.name" repeats the name "${name}".`;
      throw new AppError('invalid_request', message, { field: `${field}.name` });
    }
    names.add(name);
    assertTakesObject(parameters ?? {}, `${field}.parameters`);
    return { name, ...(description && { description }), ...(parameters && { parameters }) };
  });
}
