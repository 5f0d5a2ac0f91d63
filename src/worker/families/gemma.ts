import type { ToolDefinition } from '../../core/chat.ts';
import { createBufferedReader, type ParsedCall } from './buffered-reader.ts';
import type { GrammarDeps, ToolCallForm } from './form.ts';
import { choice, createGrammarParts, type GrammarParts, quoted } from './grammar-parts.ts';
import { parseJson } from './json-text.ts';
import { type KeywordNotation, keywordArguments } from './keyword-grammar.ts';
import { createTextCursor, deepestValue, readEntries, readItems, type TextCursor, unreadable } from './text-cursor.ts';

const open = '<|tool_call>';
const close = '<tool_call|>';
const quote = '<|"|>';

/** `<|tool_call>call:NAME{key:value,…}<tool_call|>`, with strings between `<|"|>`: Gemma 4. */
export const gemmaForm: ToolCallForm = {
  name: 'gemma',
  opens: [open],
  markers: [open, close, quote],
  createReader: ({ sink }) => createBufferedReader({ sink, close, parse }),
  callGrammar: (tools, how) => grammar(tools, ({ name }) => `call:${name}{`, how),
  requireCall({ tools, named, how }) {
    if (named) return { prefix: `${open}call:${named.name}{`, gbnf: grammar([named], () => '', how) };
    return { prefix: `${open}call:`, gbnf: grammar(tools, ({ name }) => `${name}{`, how) };
  },
};

/** One of the tools, with its own parameters. */
function grammar(tools: readonly ToolDefinition[], headOf: (tool: ToolDefinition) => string, how: GrammarDeps): string {
  const parts = createGrammarParts(how);
  const notation = gemmaNotation(parts);
  const calls = tools.map((tool) => {
    const head = headOf(tool);
    return `${head === '' ? '' : `${quoted(head)} `}${keywordArguments(parts, notation, tool)}`;
  });
  return parts.print(`${choice(calls)} ${quoted(`}${close}`)}`);
}

function gemmaNotation(parts: GrammarParts): KeywordNotation {
  const text = parts.add(`${quoted(quote)} ${parts.textUntil(quote)}`);
  const key = parts.add(`[A-Za-z_] [A-Za-z0-9_.-]{0,63} | ${text}`);
  const plain = '"-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,16})? | "true" | "false" | "null"';
  // The rules of one level below; three levels hold what tools ask for.
  let value = parts.add(`${text} | ${plain}`);
  for (let level = 0; level < 3; level++) {
    const list = `"[" (${value} ("," ${value})*)? "]"`;
    const object = `"{" (${key} ":" ${value} ("," ${key} ":" ${value})*)? "}"`;
    value = parts.add(`${text} | ${plain} | ${list} | ${object}`);
  }
  return {
    text,
    textOf: (given) => (given.includes(quote) ? null : quote + given + quote),
    words: { true: 'true', false: 'false', null: 'null' },
    afterKey: ':',
    separator: ',',
    value,
  };
}

function parse(body: string): ParsedCall[] | null {
  const cursor = createTextCursor(body);
  cursor.space();
  const head = cursor.match(/call:([\w.:/-]+)(?=\{)/y);
  if (!head) return null;
  const given = readValue(cursor, 0);
  cursor.space();
  return given === unreadable || !cursor.atEnd ? null : [{ name: head[1]!, argumentsText: JSON.stringify(given) }];
}

function readValue(cursor: TextCursor, depth: number): unknown {
  if (depth > deepestValue) return unreadable;
  cursor.space();
  if (cursor.take(quote)) return cursor.until(quote) ?? unreadable;
  const readInner = () => readValue(cursor, depth + 1);
  if (cursor.take('{')) return readEntries(cursor, () => readKey(cursor), readInner);
  if (cursor.take('[')) return readItems(cursor, readInner);
  const number = cursor.match(/-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/y);
  // Leading zeros are no JSON, but a number all the same.
  if (number) return Number(number[0]);
  const word = cursor.match(/true|false|null/y);
  return word ? parseJson(word[0]) : unreadable;
}

/** Quoted, or a plain word. */
function readKey(cursor: TextCursor): unknown {
  return cursor.take(quote) ? cursor.until(quote) : cursor.match(/[\w.-]+/y)?.[0];
}
