import type { ToolDefinition } from '../../../core/chat.ts';

/** A tool that Anthropic describes by its type alone and that the client runs: what its models know of it, others are told. */
interface ClientTool {
  /** Types are versions of one tool: this, an underscore and a date. */
  family: string;
  define(type: string): Required<Pick<ToolDefinition, 'name' | 'description' | 'parameters'>>;
}

const text = (description: string) => ({ type: 'string', description });
const lineNumber = (description: string) => ({ type: 'integer', minimum: 0, description });
const viewRange = {
  type: 'array',
  items: { type: 'integer' },
  minItems: 2,
  maxItems: 2,
  description:
    'For view: the first and the last line to show, counted from 1; -1 as the last one is the end of the file.',
};

const bash: ClientTool = {
  family: 'bash',
  define: () => ({
    name: 'bash',
    description:
      'Runs a command in a persistent bash shell and returns what it prints. Variables and the working folder stay from one command to the next.',
    parameters: {
      type: 'object',
      properties: {
        command: text('The command to run.'),
        restart: { type: 'boolean', description: 'true starts the shell anew; the command is not run then.' },
      },
      required: ['command'],
    },
  }),
};

const textEditor: ClientTool = {
  family: 'text_editor',
  define(type) {
    const isOlder = type === 'text_editor_20241022' || type === 'text_editor_20250124';
    const commands = ['view', 'create', 'str_replace', 'insert', ...(isOlder ? ['undo_edit'] : [])];
    return {
      name: isOlder ? 'str_replace_editor' : 'str_replace_based_edit_tool',
      description:
        'Shows, creates and edits text files. view shows a file or lists a folder; create writes a new file; str_replace replaces one exact and unique text in a file; insert puts text behind a line.',
      parameters: {
        type: 'object',
        properties: {
          command: { type: 'string', enum: commands, description: 'What to do.' },
          path: text('Absolute path of the file or folder.'),
          file_text: text('For create: the content of the file.'),
          old_str: text('For str_replace: the text to replace, exactly as it stands in the file.'),
          new_str: text(
            isOlder
              ? 'For str_replace: the text in its place. For insert: the text to insert.'
              : 'For str_replace: the text in its place.',
          ),
          insert_line: lineNumber('For insert: the line behind which the text is put; 0 is the beginning of the file.'),
          ...(!isOlder && { insert_text: text('For insert: the text to insert.') }),
          view_range: viewRange,
        },
        required: ['command', 'path'],
      },
    };
  },
};

const memory: ClientTool = {
  family: 'memory',
  define: () => ({
    name: 'memory',
    description:
      'Keeps notes from one conversation to the next as files under /memories. Look there before you begin, and write down what will matter later.',
    parameters: {
      type: 'object',
      properties: {
        command: {
          type: 'string',
          enum: ['view', 'create', 'str_replace', 'insert', 'delete', 'rename'],
          description: 'What to do.',
        },
        path: text('Path under /memories; for all commands but rename.'),
        file_text: text('For create: the content of the file.'),
        old_str: text('For str_replace: the text to replace, exactly as it stands in the file.'),
        new_str: text('For str_replace: the text in its place.'),
        insert_line: lineNumber('For insert: the line behind which the text is put; 0 is the beginning of the file.'),
        insert_text: text('For insert: the text to insert.'),
        view_range: viewRange,
        old_path: text('For rename: the path as it is.'),
        new_path: text('For rename: the path as it is to be.'),
      },
      required: ['command'],
    },
  }),
};

const clientTools = [bash, textEditor, memory];

/** The plain definition of a client's tool by its type, or null where the type is none. */
export function clientToolOf(type: string): ReturnType<ClientTool['define']> | null {
  const family = /^(?<family>[a-z_]+)_\d{8}$/.exec(type)?.groups?.['family'];
  return clientTools.find((tool) => tool.family === family)?.define(type) ?? null;
}
