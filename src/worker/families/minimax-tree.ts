import type { ToolDefinition } from '../../core/chat.ts';
import { listedValues } from '../grammar/grammar.ts';
import { bareValueToJson, parameterSchema, typesOf } from './argument-types.ts';
import { createBufferedReader, type ParsedCall } from './buffered-reader.ts';
import type { ToolCallForm } from './form.ts';
import { choice, createGrammarParts, type GrammarParts, quoted } from './grammar-parts.ts';
import { isHeldByParts, isHeldByType, pointerTo } from './held.ts';
import { isObject, parseJson } from './json-text.ts';
import { createRepeatedReader } from './repeated-reader.ts';
import { createTextCursor, deepestValue, type TextCursor } from './text-cursor.ts';

/** Stands before every tag. */
const mark = ']<]minimax[>[';
const open = `${mark}<tool_call>`;
const close = `${mark}</tool_call>`;
const head = (name: string) => `${mark}<invoke name="${name}">`;
const callEnd = `${mark}</invoke>`;
const tail = `${callEnd}\n`;

/** Tags named after the parameters, and within them after the names of objects; items of a list are `<item>`: MiniMax M3. */
export const minimaxTreeForm: ToolCallForm = {
  name: 'minimax-tree',
  opens: [open],
  markers: [mark, '<tool_call>', '</tool_call>'],
  createReader: ({ tools, sink }) =>
    createRepeatedReader({ opens: `${mark}<invoke`, close }, () =>
      createBufferedReader({ sink, close: callEnd, parse: (body) => parse(body + callEnd, tools) }),
    ),
  callGrammar(tools, how) {
    const parts = createGrammarParts(how);
    const call = parts.add(choice(tools.map((tool) => `${quoted(head(tool.name))} ${argumentRules(parts, tool)}`)));
    return parts.print(`"\\n"? ${call}+ ${quoted(close)}`);
  },
  requireCall({ tools, named, how }) {
    if (!named) return { prefix: `${open}\n`, gbnf: this.callGrammar(tools, how)! };
    const parts = createGrammarParts(how);
    return {
      prefix: `${open}\n${head(named.name)}`,
      gbnf: parts.print(`${argumentRules(parts, named)} ${quoted(close)}`),
    };
  },
};

/** The declared parameters in their order, the required ones always. What is within lists and objects stays open. */
function argumentRules(parts: GrammarParts, tool: ToolDefinition): string {
  const root = tool.parameters ?? {};
  const properties = isObject(root['properties']) ? Object.entries(root['properties']) : [];
  const required = new Set(Array.isArray(root['required']) ? root['required'] : []);
  if (!isHeldByParts(root)) parts.leaveOpen(tool);
  const rules = properties.map(([key, schema]) => {
    const rule = parts.add(`${quoted(`${mark}<${key}>`)} ${valueRule(parts, key, schema, tool)}`);
    return required.has(key) ? rule : `${rule}?`;
  });
  return [...rules, quoted(tail)].join(' ');
}

function valueRule(parts: GrammarParts, key: string, schema: unknown, tool: ToolDefinition): string {
  const root = tool.parameters ?? {};
  const end = `${mark}</${key}>`;
  const values = listedValues(root, pointerTo(key))?.filter((value) => typeof value !== 'object');
  if (values?.length) return `${choice(values.map((value) => quoted(String(value))))} ${quoted(end)}`;
  const types = typesOf(schema, root);
  const isPlain = types !== null && [...types].every((type) => type === 'number' || type === 'boolean');
  if (isPlain) return `${parts.schema(root, tool, pointerTo(key))} ${quoted(end)}`;
  const items = isObject(schema) ? schema['items'] : undefined;
  const itemTypes = typesOf(items, root);
  if (types?.size === 1 && types.has('array') && itemTypes?.size === 1) {
    const item = `${mark}</item>`;
    const value = itemTypes.has('string')
      ? parts.textUntil(item)
      : itemTypes.has('number') || itemTypes.has('boolean')
        ? `${parts.schema(items, tool)} ${quoted(item)}`
        : null;
    if (value !== null) {
      parts.leaveOpen(tool);
      return `(${quoted(`${mark}<item>`)} ${value})* ${quoted(end)}`;
    }
  }
  if (!(types?.size === 1 && types.has('string') && isHeldByType(schema))) parts.leaveOpen(tool);
  return parts.textUntil(end);
}

/** One call from its opening tag to its closing one. */
function parse(body: string, tools: readonly ToolDefinition[]): ParsedCall[] | null {
  const cursor = createTextCursor(body);
  const begun = cursor.take(mark) ? cursor.match(/<invoke name="([^"<>]+)">/y) : null;
  if (!begun) return null;
  const name = begun[1]!;
  const tool = tools.find((candidate) => candidate.name === name);
  const placeOf = (key: string) => ({ schema: parameterSchema(tool, key), root: tool?.parameters });
  const given = readTags(cursor, 'invoke', placeOf, 0);
  return given && cursor.atEnd ? [{ name, argumentsText: JSON.stringify(Object.fromEntries(given)) }] : null;
}

interface Place {
  schema: unknown;
  root: unknown;
}

/** Names and values up to the end of `parent`; null when they are not written so. */
function readTags(
  cursor: TextCursor,
  parent: string,
  placeOf: (key: string) => Place,
  depth: number,
): [string, unknown][] | null {
  const entries: [string, unknown][] = [];
  if (depth > deepestValue) return null;
  for (;;) {
    cursor.space();
    if (!cursor.take(mark)) return null;
    if (cursor.take(`</${parent}>`)) return entries;
    const key = cursor.match(/<([^<>/]+)>/y)?.[1];
    if (key === undefined) return null;
    const value = readValue(cursor, key, placeOf(key), depth);
    if (value === undefined) return null;
    entries.push([key, value]);
  }
}

function readValue(cursor: TextCursor, key: string, { schema, root }: Place, depth: number): unknown {
  const types = typesOf(schema, root);
  const text = cursor.until(mark);
  if (text === null) return undefined;
  if (cursor.take(`</${key}>`)) {
    if (text === '' && types?.has('array')) return [];
    if (text === '' && types?.has('object')) return {};
    return parseJson(bareValueToJson(text, types));
  }
  // Another tag begins: an object, or a list.
  if (text.trim() !== '') return undefined;
  cursor.back(mark.length);
  const inner = (name: string): Place => {
    const part = isObject(schema) ? (name === 'item' ? schema['items'] : undefined) : undefined;
    const properties = isObject(schema) && isObject(schema['properties']) ? schema['properties'] : {};
    return { schema: part ?? properties[name], root };
  };
  const entries = readTags(cursor, key, inner, depth + 1);
  if (!entries) return undefined;
  const isList = types?.has('array') || (!types?.has('object') && entries.every(([name]) => name === 'item'));
  return isList ? entries.map(([, value]) => value) : Object.fromEntries(entries);
}
