import type { OutputFormat, ToolDefinition } from '../../core/chat.ts';
import { AppError } from '../../core/errors.ts';
import type { StreamEvent } from '../../core/events.ts';
import { createValueCheck, type Violation } from '../grammar/grammar.ts';
import { closedJson } from './closed-json.ts';

/** What an answer broke. `repeated`: the place of an item that is there already, in an array whose items differ. */
export interface Finding {
  violation: Violation;
  repeated: number | null;
  /** The error of an answer that is given up. */
  error: AppError;
}

/** Looks at one answer while it is written, for what its grammar leaves open. */
export interface AnswerCheck {
  /** What an event shows; null while nothing is wrong. Before the end only a repeated item can be. */
  read(event: StreamEvent): Finding | null;
}

/** The parts of an answer that are checked. */
export interface CheckedParts {
  /** Null: its text is free, or bound whole by its grammar. */
  format: OutputFormat | null;
  /** Tools whose calls the grammar does not bind whole. */
  tools: readonly ToolDefinition[];
}

/** A longer text is not looked at before its end. */
const mostEarly = 64 * 1024;

/** One part of an answer: its text, or a call. */
interface Part {
  text: string;
  whole: (value: unknown) => Finding | null;
  unique: (value: unknown) => Finding | null;
}

/** A check of one answer, from its first event on. */
export function createAnswerCheck({ format, tools }: CheckedParts): AnswerCheck {
  const textPart = format?.type === 'json-schema' ? partOf(format.schema, 'format', 'The JSON schema') : null;
  const calls = new Map<number, Part>();
  const isComplete = new Set<number>();

  const add = (part: Part, piece: string): Finding | null => {
    part.text += piece;
    // An item is whole where the next one, or the end of its array, begins.
    if (!/[,\]]/.test(piece) || part.text.length > mostEarly) return null;
    const value = parsed(closedJson(part.text) ?? '');
    return value === undefined ? null : part.unique(value);
  };
  const atEnd = (part: Part): Finding | null => {
    const value = parsed(part.text);
    return value === undefined ? null : part.whole(value);
  };

  return {
    read(event) {
      switch (event.type) {
        case 'text-delta':
          return textPart && add(textPart, event.text);
        case 'tool-call-start': {
          const tool = tools.find(({ name }) => name === event.name);
          if (tool) {
            const subject = `The JSON schema of the tool "${tool.name}"`;
            calls.set(event.blockId, partOf({ ...tool.parameters, nullable: false }, 'input.tools', subject));
          }
          return null;
        }
        case 'tool-call-delta': {
          const call = calls.get(event.blockId);
          return call ? add(call, event.argumentsText) : null;
        }
        case 'tool-call-end':
          isComplete.add(event.blockId);
          return null;
        case 'finish':
          return isCut(event.reason) ? null : findAtEnd();
        default:
          return null;
      }
    },
  };

  function findAtEnd(): Finding | null {
    for (const [blockId, call] of calls) {
      const found = isComplete.has(blockId) ? atEnd(call) : null;
      if (found) return found;
    }
    // An answer is calls or text.
    return textPart === null || textPart.text.trim() === '' ? null : atEnd(textPart);
  }
}

function partOf(schema: unknown, field: string, subject: string): Part {
  const check = createValueCheck(schema, { field, subject });
  const finding = (violation: Violation | null): Finding | null => {
    if (violation === null) return null;
    const { keyword, path, at } = violation;
    const last = at.at(-1);
    return {
      violation,
      repeated: keyword === 'uniqueItems' && typeof last === 'number' ? last : null,
      error: new AppError(
        'invalid_request',
        `${subject} at ${path}: the model broke "${keyword}", and broke it again when it was asked once more.`,
        {
          field,
          fix: `No grammar keeps this "${keyword}". Leave it out, or try again.`,
          details: { schema_path: path },
        },
      ),
    };
  };
  return {
    text: '',
    whole: (value) => finding(check.whole(value)),
    unique: (value) => finding(check.unique(value)),
  };
}

/** Whether an answer ended where it did not mean to: its end says so itself. */
function isCut(reason: string): boolean {
  return reason !== 'stop' && reason !== 'tool_calls' && reason !== 'stop_sequence';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
