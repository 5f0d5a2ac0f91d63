import { z } from 'zod';
import type { ToolChoice, ToolDefinition } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { droppedIn } from '../../fields/dropped.ts';
import { assertTakesObject } from '../../fields/tool-parameters.ts';
import { grammarPattern } from '../objects/custom-tools.ts';
import { type GroupedName, type PlacedTool, withoutNamespaces } from './namespaces.ts';
import { parsed } from './parsed.ts';
import type { BodyTool, PromptRequest } from './schema.ts';

/** What a call of a tool is in the answer; the model itself knows functions only. */
export type ToolKind = 'function' | 'custom' | 'apply_patch' | 'local_shell';

export interface OfferedTools {
  definitions: ToolDefinition[];
  kinds: ReadonlyMap<string, ToolKind>;
  /** Those that stand in a namespace, by the name that the model sees. */
  groups: ReadonlyMap<string, GroupedName>;
  /** Fields that change nothing, for `x-hearth-ignored`. */
  ignored: string[];
}

const maxToolBytes = 256 * 1024;

const toolName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, { error: 'only letters, digits, _ and - are allowed, 1 to 64 of them' });

const functionTool = z.object({
  type: z.literal('function'),
  name: toolName,
  description: z.string().nullish(),
  parameters: z.record(z.string(), z.unknown()).nullish(),
  strict: z.boolean().nullish(),
});

const customTool = z.object({
  type: z.literal('custom'),
  name: toolName,
  description: z.string().nullish(),
  format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({
        type: z.literal('grammar'),
        syntax: z.enum(['lark', 'regex']),
        definition: z.string().max(64 * 1024),
      }),
    ])
    .nullish(),
});

/** A tool that clients run by a name of OpenAI's is a type and nothing else. */
const clientTool = z.object({ type: z.string() });

/** Name of the one argument of a custom tool, as the model sees it. */
export const customInputName = 'input';

/** The tools that clients run by a name of OpenAI's, as the functions that the model sees. */
const clientTools = {
  apply_patch: {
    name: 'apply_patch',
    description:
      'Creates, updates or deletes one file. "diff" is a V4A diff: the content of a new file with a + before each line, or ' +
      'the changed lines of a file with - and + and some lines around them; a deletion has none.',
    parameters: {
      type: 'object',
      properties: {
        type: { type: 'string', enum: ['create_file', 'update_file', 'delete_file'] },
        path: { type: 'string', description: 'The file, relative to the working folder' },
        diff: { type: 'string' },
      },
      required: ['type', 'path'],
      additionalProperties: false,
    },
  },
  local_shell: {
    name: 'local_shell',
    description: "Runs a command on the user's machine and returns what it prints.",
    parameters: {
      type: 'object',
      properties: {
        command: { type: 'array', items: { type: 'string' }, description: 'The program and its arguments' },
        working_directory: { type: 'string' },
        timeout_ms: { type: 'integer' },
      },
      required: ['command'],
      additionalProperties: false,
    },
  },
} satisfies Record<string, ToolDefinition>;

/**
 * The tools of a body as functions for the model, each name once. `field`: where they stand. Throws `invalid_request` that
 * names the tool for kinds that a service would have to run, and for what is no tool at all.
 */
export function toTools(tools: readonly PlacedTool[]): OfferedTools {
  if (tools.length > 0 && Buffer.byteLength(JSON.stringify(tools.map(({ tool }) => tool))) > maxToolBytes) {
    throw new AppError('invalid_request', `"tools" is larger than ${maxToolBytes / 1024} KiB.`, { field: 'tools' });
  }
  const kinds = new Map<string, ToolKind>();
  const { tools: row, groups, ignored } = withoutNamespaces(tools);
  const definitions = row.map(({ tool, field }) => {
    const { kind, definition } = toTool(tool, field, ignored);
    if (kinds.has(definition.name)) {
      const message = `"${field}" repeats the name "${definition.name}".`;
      throw new AppError('invalid_request', message, { field: kind in clientTools ? field : `${field}.name` });
    }
    kinds.set(definition.name, kind);
    return definition;
  });
  return { definitions, kinds, groups, ignored };
}

function toTool(tool: BodyTool, field: string, ignored: string[]): { kind: ToolKind; definition: ToolDefinition } {
  const read = <Schema extends z.ZodType>(schema: Schema) => {
    const found = parsed(schema, tool, field);
    ignored.push(...droppedIn(tool, found, 'tools'));
    return found;
  };
  switch (tool.type) {
    case 'function':
      return { kind: 'function', definition: toFunction(read(functionTool), field) };
    case 'custom': {
      return { kind: 'custom', definition: toCustom(read(customTool), `${field}.format.definition`) };
    }
    case 'apply_patch':
    case 'local_shell':
      read(clientTool);
      return { kind: tool.type, definition: clientTools[tool.type] };
    default:
      throw new AppError('invalid_request', `"${field}" is of type "${tool.type}", which this server does not run.`, {
        field: `${field}.type`,
        fix: 'Tools of type function, custom, namespace, apply_patch and local_shell are run by the client.',
      });
  }
}

function toFunction(tool: z.infer<typeof functionTool>, field: string): ToolDefinition {
  const parameters = tool.parameters ?? null;
  assertTakesObject(parameters ?? {}, `${field}.parameters`);
  return {
    name: tool.name,
    ...(tool.description && { description: tool.description }),
    ...(parameters !== null && { parameters }),
    ...(typeof tool.strict === 'boolean' && { strict: tool.strict }),
  };
}

function toCustom({ name, description, format }: z.infer<typeof customTool>, field: string): ToolDefinition {
  const grammar = format?.type === 'grammar' ? format : null;
  const told = [
    ...(description ? [description] : []),
    ...(grammar?.syntax === 'lark' ? [`"${customInputName}" follows this Lark grammar:\n${grammar.definition}`] : []),
  ].join('\n\n');
  return {
    name,
    ...(told !== '' && { description: told }),
    parameters: {
      type: 'object',
      properties: {
        [customInputName]: {
          type: 'string',
          description: 'The whole input of the tool, as plain text',
          ...(grammar && { pattern: grammarPattern(grammar, field) }),
        },
      },
      required: [customInputName],
      additionalProperties: false,
    },
  };
}

const namedChoice = z.looseObject({ name: z.string() });
const allowedChoice = z.looseObject({
  mode: z.enum(['auto', 'required']),
  tools: z.array(z.looseObject({ type: z.string(), name: z.string().optional() })).max(128),
});

/** The wish for a call. Throws `invalid_request` for tools that are not among those offered. */
export function toToolChoice(choice: PromptRequest['tool_choice'], { kinds }: OfferedTools): ToolChoice {
  if (choice === null || choice === undefined || choice === 'auto') return { type: 'auto' };
  if (choice === 'none') return { type: 'none' };
  if (kinds.size === 0) {
    throw new AppError('invalid_request', '"tool_choice" needs "tools".', { field: 'tool_choice' });
  }
  if (choice === 'required') return { type: 'required' };
  const offered = (type: string, name: string, field: string): string => {
    if (kinds.get(name) === type) return name;
    const message = `"${field}" names "${name}" of type "${type}", which is not in "tools".`;
    throw new AppError('invalid_request', message, { field });
  };
  switch (choice.type) {
    case 'function':
    case 'custom':
      return {
        type: 'tool',
        name: offered(choice.type, parsed(namedChoice, choice, 'tool_choice').name, 'tool_choice'),
      };
    case 'apply_patch':
    case 'local_shell':
      return { type: 'tool', name: offered(choice.type, choice.type, 'tool_choice') };
    case 'allowed_tools': {
      const { mode, tools } = parsed(allowedChoice, choice, 'tool_choice');
      const names = tools.map(({ type, name = type }, index) => offered(type, name, `tool_choice.tools.${index}`));
      return { type: 'allowed', mode, names };
    }
    default:
      throw new AppError('invalid_request', `"tool_choice" of type "${choice.type}" is not supported.`, {
        field: 'tool_choice.type',
      });
  }
}
