import type { ToolDefinition } from '../../../core/chat.ts';
import { parseArguments, type ToolCallPart } from '../../../core/content.ts';
import { AppError } from '../../../core/errors.ts';
import { larkToPattern } from './lark/lark.ts';

/**
 * OpenAI's custom tools take text instead of JSON. To a model such a tool is a function with one argument, which is the
 * text; its answer is turned back here.
 */
const argument = 'input';

/** A custom tool as a body has it. */
interface CustomTool {
  name: string;
  description?: string | null | undefined;
  format?: { type: 'text' | 'grammar'; grammar?: CustomGrammar | undefined } | null | undefined;
}

interface CustomGrammar {
  syntax: 'regex' | 'lark';
  definition: string;
}

/** The tool in the words of the core. `field`: where it stands. Throws `invalid_request` for a grammar that cannot be kept. */
export function customTool({ name, description, format }: CustomTool, field: string): ToolDefinition {
  const pattern = patternOf(format ?? null, `${field}.format`);
  return {
    name,
    ...(description && { description }),
    parameters: {
      type: 'object',
      properties: { [argument]: { type: 'string', ...(pattern !== null && { pattern }) } },
      required: [argument],
      additionalProperties: false,
    },
    strict: true,
    extra: { openai: { type: 'custom', ...(format && { format }) } },
  };
}

function patternOf(format: CustomTool['format'] | null, field: string): string | null {
  if (!format || format.type === 'text') return null;
  const { grammar } = format;
  if (!grammar) throw new AppError('invalid_request', `"${field}.grammar" is required.`, { field: `${field}.grammar` });
  return grammarPattern(grammar, `${field}.grammar.definition`);
}

/**
 * The pattern of the whole text that a grammar describes. `field`: where its definition stands. Throws `invalid_request`
 * naming what of it cannot be kept.
 */
export function grammarPattern({ syntax, definition }: CustomGrammar, field: string): string {
  return `^(?:${syntax === 'regex' ? definition : larkToPattern(definition, field)})$`;
}

/** A call of a custom tool in an earlier turn, in the words of the core. */
export function customCall(id: string, name: string, input: string): ToolCallPart {
  const given = { [argument]: input };
  return { type: 'tool-call', id, name, arguments: given, argumentsText: JSON.stringify(given) };
}

/** The text that a model gave to a custom tool; what is no such object is taken as the text itself. */
export function customInput({ arguments: given, argumentsText = '' }: ToolCallPart): string {
  const input = given[argument];
  return typeof input === 'string' ? input : argumentsText;
}

/** Reads the text out of the arguments of a call while they come. */
export interface CustomInputReader {
  /** The next piece of the arguments; returns what it adds to the text. */
  push(piece: string): string;
  /** The call is over; returns what is left of the text. */
  end(): string;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };
const opening = /^\s*\{\s*"input"\s*:\s*"/;
/** White space that nobody needs, and the longest opening without it. */
const mostOpening = 256;

/** Text comes out as it is written, but for half of a character and half of an escape, which wait for their other half. */
export function createCustomInputReader(): CustomInputReader {
  let state: 'opening' | 'text' | 'closed' | 'other' = 'opening';
  let held = '';

  const readText = (): string => {
    let text = '';
    let at = 0;
    while (at < held.length) {
      const next = held.indexOf('\\', at);
      const quote = held.indexOf('"', at);
      const stop = Math.min(next === -1 ? held.length : next, quote === -1 ? held.length : quote);
      text += held.slice(at, stop);
      at = stop;
      if (at === held.length) break;
      if (held[at] === '"') {
        state = 'closed';
        at = held.length;
        break;
      }
      const length = held[at + 1] === 'u' ? 6 : 2;
      if (at + length > held.length) break;
      text += unescaped(held.slice(at, at + length));
      at += length;
    }
    held = held.slice(at);
    // Half of a pair is no text by itself.
    const isCut = state === 'text' && /[\ud800-\udbff]$/.test(text);
    if (isCut) held = text.slice(-1) + held;
    return isCut ? text.slice(0, -1) : text;
  };

  return {
    push(piece) {
      if (state === 'closed') return '';
      held += piece;
      if (state === 'opening') {
        const found = opening.exec(held);
        if (found) {
          state = 'text';
          held = held.slice(found[0].length);
        } else if (held.length > mostOpening) state = 'other';
      }
      return state === 'text' ? readText() : '';
    },
    end() {
      if (state === 'closed' || state === 'text') return '';
      return customInput({ type: 'tool-call', id: '', name: '', arguments: parseArguments(held), argumentsText: held });
    },
  };
}

function unescaped(written: string): string {
  const letter = written[1]!;
  if (letter === 'u') return String.fromCharCode(Number.parseInt(written.slice(2), 16) || 0);
  return escapes[letter] ?? letter;
}
