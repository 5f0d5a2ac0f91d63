import type { ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { assertTakesObject } from '../../fields/tool-parameters.ts';
import { customTool } from '../objects/custom-tools.ts';
import type { ChatBody } from './schema.ts';

const maxToolBytes = 256 * 1024;

type BodyTool = NonNullable<ChatBody['tools']>[number];
type FunctionDefinition = NonNullable<ChatBody['functions']>[number];

/** Whether tools are called "functions" here, as OpenAI once had it, in the answer too. */
export function isOlderForm({ functions, tools }: ChatBody): boolean {
  return (functions ?? []).length > 0 && (tools ?? []).length === 0;
}

/** Names of the tools that take text instead of JSON. */
export function customNames({ tools }: ChatBody): ReadonlySet<string> {
  return new Set((tools ?? []).flatMap((tool) => (tool.type === 'custom' ? [tool.custom.name] : [])));
}

/**
 * The tools of a body in the words of the core, and which of them may or must be called. Throws `invalid_request` that
 * names what cannot be.
 */
export function toTools(body: ChatBody): { tools: ToolDefinition[]; toolChoice: ToolChoice } {
  if (isOlderForm(body)) {
    const { functions, function_call: choice } = body;
    const tools = toDefinitions(
      (functions ?? []).map((definition) => ({ type: 'function', function: definition })),
      'functions',
    );
    return { tools, toolChoice: toToolChoice('function_call', choice ?? null, tools) };
  }
  refuseOlderForm(body);
  const tools = toDefinitions(body.tools ?? [], 'tools');
  return { tools, toolChoice: toToolChoice('tool_choice', choiceOf(body.tool_choice ?? null), tools) };
}

/** Fields of the older form beside the newer one, or without what they need. */
function refuseOlderForm({ functions, tools, function_call }: ChatBody): void {
  const older =
    (functions ?? []).length > 0
      ? 'functions'
      : typeof function_call === 'object' && function_call !== null
        ? 'function_call'
        : null;
  if (older === null) return;
  const problem = (tools ?? []).length > 0 ? 'cannot stand beside "tools"' : 'needs "functions"';
  throw new AppError('invalid_request', `"${older}" ${problem}.`, { field: older });
}

/** `list`: name of the field that has them. */
function toDefinitions(tools: readonly BodyTool[], list: 'tools' | 'functions'): ToolDefinition[] {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools)) > maxToolBytes) {
    throw new AppError('invalid_request', `"${list}" is larger than ${maxToolBytes / 1024} KiB.`, { field: list });
  }
  const names = new Set<string>();
  return tools.map((tool, index) => {
    const field = list === 'tools' ? `tools.${index}.${tool.type}` : `functions.${index}`;
    const { name } = tool.type === 'function' ? tool.function : tool.custom;
    if (names.has(name)) {
      const message = `"${field}.name" repeats the name "${name}".`;
      throw new AppError('invalid_request', message, { field: `${field}.name` });
    }
    names.add(name);
    return tool.type === 'function' ? toDefinition(tool.function, field) : customTool(tool.custom, field);
  });
}

function toDefinition({ name, description, parameters, strict }: FunctionDefinition, field: string): ToolDefinition {
  assertTakesObject(parameters ?? {}, `${field}.parameters`);
  return {
    name,
    ...(description && { description }),
    ...(parameters && { parameters }),
    ...(strict !== null && strict !== undefined && { strict }),
  };
}

/** A wish for a call: of any tool, of one, or of some. */
type Wish = 'auto' | 'none' | 'required' | { name: string } | { mode: 'auto' | 'required'; names: string[] } | null;

function choiceOf(choice: ChatBody['tool_choice'] | null): Wish {
  if (typeof choice !== 'object' || choice === null) return choice ?? null;
  if (choice.type === 'function') return choice.function;
  if (choice.type === 'custom') return choice.custom;
  const { mode, tools } = choice.allowed_tools;
  return { mode, names: tools.map((tool) => (tool.type === 'function' ? tool.function.name : tool.custom.name)) };
}

function toToolChoice(
  field: 'tool_choice' | 'function_call',
  wish: Wish,
  tools: readonly ToolDefinition[],
): ToolChoice {
  if (wish === null) return { type: 'auto' };
  const list = field === 'tool_choice' ? 'tools' : 'functions';
  if (wish !== 'auto' && wish !== 'none' && tools.length === 0) {
    throw new AppError('invalid_request', `"${field}" needs "${list}".`, { field });
  }
  if (typeof wish === 'string') return { type: wish };
  const names = 'names' in wish ? [...new Set(wish.names)] : [wish.name];
  const unknown = names.find((name) => !tools.some((tool) => tool.name === name));
  if (unknown !== undefined) {
    throw new AppError('invalid_request', `"${field}" names "${unknown}", which is not in "${list}".`, { field });
  }
  return 'names' in wish ? { type: 'allowed', mode: wish.mode, names } : { type: 'tool', name: wish.name };
}
