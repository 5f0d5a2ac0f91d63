import type { ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { assertTakesObject } from '../../fields/tool-parameters.ts';
import { invalid } from './block-fields.ts';
import type { BodyTool, ConversationBody } from './body.ts';
import { clientToolOf } from './client-tools.ts';

const maxToolBytes = 512 * 1024;
const toolName = /^[a-zA-Z0-9_-]{1,128}$/;

/** Fields of a tool that are honoured; arguments always stream as they come, so that nobody need ask for it. */
export const knownFields: ReadonlySet<string> = new Set([
  'type',
  'name',
  'description',
  'input_schema',
  'strict',
  'input_examples',
  'eager_input_streaming',
]);
/** The same of a tool that is spelled out here. */
const knownOfClientTools = new Set(['type', 'name', 'strict', 'eager_input_streaming']);

/** The tools of a body in the words of the core. Throws `invalid_request` for those that only Anthropic's servers can run. */
export function toTools(tools: readonly BodyTool[]): ToolDefinition[] {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) > maxToolBytes) {
    throw invalid('tools', `is larger than ${maxToolBytes / 1024} KiB`);
  }
  const names = new Set<string>();
  return tools.map((tool, index) => {
    const field = `tools.${index}`;
    const definition = toTool(tool, field);
    if (names.has(definition.name)) throw invalid(`${field}.name`, `repeats the name "${definition.name}"`);
    names.add(definition.name);
    return definition;
  });
}

/** Names of fields of tools that change nothing, for the header that says so. */
export function ignoredInTools(tools: readonly BodyTool[]): string[] {
  const names = tools.flatMap((tool) => {
    const known = (tool.type ?? 'custom') === 'custom' ? knownFields : knownOfClientTools;
    return Object.entries(tool).flatMap(([name, value]) => (known.has(name) || value === null ? [] : [name]));
  });
  return [...new Set(names)].map((name) => `tools.${name}`);
}

function toTool(tool: BodyTool, field: string): ToolDefinition {
  const type = tool.type ?? 'custom';
  const strict = tool.strict === true ? { strict: true } : {};
  if (type !== 'custom') {
    const known = clientToolOf(type);
    if (known === null) throw unsupported(type, field);
    return { ...known, name: nameOf(tool.name ?? known.name, field), ...strict };
  }
  const { name } = tool;
  if (typeof name !== 'string') throw invalid(`${field}.name`, 'is required');
  const parameters = tool.input_schema ?? null;
  if (parameters === null) throw invalid(`${field}.input_schema`, 'is required');
  assertTakesObject(parameters, `${field}.input_schema`);
  const description = [tool.description ?? '', ...examplesIn(tool)].filter((text) => text !== '').join('\n\n');
  return { name: nameOf(name, field), ...(description !== '' && { description }), parameters, ...strict };
}

function nameOf(name: string, field: string): string {
  if (toolName.test(name)) return name;
  throw invalid(`${field}.name`, 'may hold letters, digits, _ and - only, 1 to 128 of them');
}

/** Examples have no place of their own in a model's prompt. */
function examplesIn({ input_examples: examples }: BodyTool): string[] {
  return examples?.length
    ? [`Examples of arguments:\n${examples.map((example) => JSON.stringify(example)).join('\n')}`]
    : [];
}

function unsupported(type: string, field: string): AppError {
  const message = `"${field}" is of type "${type}", which is not run here.`;
  return new AppError('invalid_request', message, {
    field: `${field}.type`,
    fix: 'Give it as a tool of your own, with an "input_schema", and run it at the client.',
  });
}

/** Which tool is to be called. Throws `invalid_request` where there is none to call. */
export function toToolChoice(choice: ConversationBody['tool_choice'], tools: readonly ToolDefinition[]): ToolChoice {
  const type = choice?.type ?? 'auto';
  if (type === 'auto' || type === 'none') return { type };
  if (tools.length === 0) throw invalid('tool_choice', 'needs "tools"');
  if (choice?.type !== 'tool') return { type: 'required' };
  const { name } = choice;
  if (!tools.some((tool) => tool.name === name)) throw invalid('tool_choice.name', `"${name}" is not in "tools"`);
  return { type: 'tool', name };
}
