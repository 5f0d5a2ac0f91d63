import type { ToolDefinition } from '../../core/chat.ts';
import { textOf } from '../../core/content.ts';
import type { TemplateMessage, ToolCall } from '../conversation/conversation.ts';

const asText = (text: string) => [{ type: 'text' as const, text }];

/**
 * The instructions that stand in for a template's own: the tools as JSON, one a line, and the `<tool_call>` form, which
 * most models have seen.
 */
function toolInstructions(tools: readonly ToolDefinition[]): string {
  const lines = tools.map(({ name, description, parameters }) =>
    JSON.stringify({ name, ...(description !== undefined && { description }), ...(parameters && { parameters }) }),
  );
  return [
    '# Tools',
    '',
    'These functions can be called. Each line describes one, with its parameters as a JSON Schema:',
    ...lines,
    '',
    'To call a function, answer with this and nothing else, once for each call:',
    '<tool_call>',
    '{"name": "the function", "arguments": {"a parameter": "its value"}}',
    '</tool_call>',
    'Its result comes in the next message, between <tool_response> and </tool_response>.',
    'When no function is needed, answer in words.',
  ].join('\n');
}

/** The conversation with the tools described in its system message. */
export function withToolInstructions(
  messages: readonly TemplateMessage[],
  tools: readonly ToolDefinition[],
): TemplateMessage[] {
  if (tools.length === 0) return [...messages];
  const [first, ...rest] = messages;
  const instructions = toolInstructions(tools);
  if (first?.role !== 'system') return [{ role: 'system', content: asText(instructions) }, ...messages];
  return [{ role: 'system', content: [...first.content, ...asText(`\n\n${instructions}`)] }, ...rest];
}

/** The conversation with calls and results as text of assistant and user, for templates that know neither. */
export function toolsAsText(
  messages: readonly TemplateMessage[],
  writeCalls: (calls: readonly ToolCall[]) => string = hermesCalls,
): TemplateMessage[] {
  const result: TemplateMessage[] = [];
  let results: string[] = [];
  const flush = () => {
    if (results.length > 0) result.push({ role: 'user', content: asText(results.join('\n')) });
    results = [];
  };
  for (const message of messages) {
    if (message.role === 'tool') {
      results.push(`<tool_response>\n${textOf(message.content)}\n</tool_response>`);
      continue;
    }
    flush();
    result.push(message.role === 'assistant' ? callsAsText(message, writeCalls) : message);
  }
  flush();
  return result;
}

/** An assistant's message with its calls written into its content. */
export function callsAsText(
  message: Extract<TemplateMessage, { role: 'assistant' }>,
  writeCalls: (calls: readonly ToolCall[]) => string,
): TemplateMessage {
  const { toolCalls, ...plain } = message;
  if (!toolCalls?.length) return message;
  const said = textOf(message.content);
  return { ...plain, content: asText((said === '' ? '' : `${said}\n`) + writeCalls(toolCalls)) };
}

const hermesCalls = (calls: readonly ToolCall[]) =>
  calls.map((call) => `<tool_call>\n${callAsJson(call)}\n</tool_call>`).join('\n');

/** Arguments that are no JSON stand in it as the model wrote them. */
function callAsJson({ name, arguments: given }: ToolCall): string {
  const written = typeof given === 'string' ? given : JSON.stringify(given);
  return `{"name":${JSON.stringify(name)},"arguments":${written}}`;
}
