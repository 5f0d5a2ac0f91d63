import type { ToolDefinition } from '../../core/chat.ts';
import { listedValues } from '../grammar/grammar.ts';
import { typeName, typesOf } from './argument-types.ts';
import type { GrammarDeps } from './form.ts';
import { choice, counted, createGrammarParts, type GrammarParts, quoted } from './grammar-parts.ts';
import { isHeldByParts, isHeldByType, pointerTo } from './held.ts';
import { isObject } from './json-text.ts';

/** JSON types, as a tag may name them. */
export type ValueType = 'string' | 'number' | 'boolean' | 'array' | 'object' | 'null';
const valueTypes: readonly ValueType[] = ['string', 'number', 'boolean', 'array', 'object', 'null'];

/** How tagged arguments are written, for a grammar. */
export interface TaggedLayout {
  /** With `callNumber` for the number of the call. */
  head(name: string): string;
  argument(key: string, type: ValueType): string;
  /** The tag of an argument depends on the type of its value. */
  isTyped?: boolean;
  /** After a value that is JSON. A string ends with `valueEnd` alone. */
  afterValue: string;
  valueEnd: string;
  /** After a string's end. */
  afterString: string;
  tail: string;
  /** Written between two calls and behind the last one, where several stand between one pair of tags. */
  several?: { between: string; close: string };
}

/**
 * The grammar of calls with tagged arguments: a tool of the list, its declared parameters in their order, the required
 * ones always. A string parameter is any text up to its closing tag (of its schema only `enum` and `const` count); all
 * others are JSON that keeps to their schema. `headOf`: which part of the head is still to be written.
 */
export function taggedGrammar(deps: {
  layout: TaggedLayout;
  tools: readonly ToolDefinition[];
  headOf: (tool: ToolDefinition) => string;
  how: GrammarDeps;
}): string {
  const { layout } = deps;
  const parts = createGrammarParts(deps.how);
  const bodies = deps.tools.map((tool) => {
    const body = argumentRules(parts, layout, tool);
    return { tool, body: [...body, quoted(layout.tail)].join(' ') };
  });
  const headed = (head: string, body: string) => (head === '' ? body : `${counted(head)} ${body}`);
  const first = choice(bodies.map(({ tool, body }) => headed(deps.headOf(tool), body)));
  if (!layout.several) return parts.print(first);
  const { between, close } = layout.several;
  const next = choice(bodies.map(({ tool, body }) => headed(between + layout.head(tool.name), body)));
  return parts.print(`${first} ${next}* ${quoted(close)}`);
}

function argumentRules(parts: GrammarParts, layout: TaggedLayout, tool: ToolDefinition): string[] {
  const root = tool.parameters ?? {};
  const properties = isObject(root['properties']) ? root['properties'] : {};
  const required = new Set(Array.isArray(root['required']) ? root['required'] : []);
  if (!isHeldByParts(root)) parts.leaveOpen(tool);
  return Object.entries(properties).map(([key, schema]) => {
    const rule = parts.add(argumentRule(parts, layout, key, schema, tool));
    return required.has(key) ? rule : `${rule}?`;
  });
}

/** An argument with its tag and its end. */
function argumentRule(
  parts: GrammarParts,
  layout: TaggedLayout,
  key: string,
  schema: unknown,
  tool: ToolDefinition,
): string {
  const root = tool.parameters ?? {};
  const tag = (type: ValueType) => quoted(layout.argument(key, type));
  const closing = quoted(layout.afterValue + layout.valueEnd + layout.afterString);
  const anyText = () => `${tag('string')} ${parts.textUntil(layout.valueEnd)} ${quoted(layout.afterString)}`;
  const entry = pointerTo(key);
  const values = listedValues(root, entry);
  if (values !== null && values.length > 0) {
    const texts = values.map((value) => {
      const written = quoted(typeof value === 'string' ? value : JSON.stringify(value));
      return `${tag(typeName(value))} ${written}`;
    });
    return `${choice(texts)} ${closing}`;
  }
  const types = typesOf(schema, root);
  const known = valueTypes.filter((type) => types === null || types.has(type));
  if (known.length === 1 && known[0] !== 'string') {
    return `${tag(known[0]!)} ${parts.schema(root, tool, entry)} ${closing}`;
  }
  if (!isHeldByType(schema)) parts.leaveOpen(tool);
  // A union with strings is written bare as well: what it is shows when it is read.
  if (!layout.isTyped) {
    if (known.includes('string')) return anyText();
    return `${tag('object')} ${parts.schema(root, tool, entry)} ${closing}`;
  }
  return choice(
    known.map((type) => (type === 'string' ? anyText() : `${tag(type)} ${parts.schema({ type }, tool)} ${closing}`)),
  );
}
