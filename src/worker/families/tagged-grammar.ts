import type { ToolDefinition } from '../../core/chat.ts';
import { listedValues } from '../grammar/grammar.ts';
import { isOnlyString, typesOf } from './argument-types.ts';
import type { GrammarDeps } from './form.ts';
import { choice, createGrammarParts, type GrammarParts, quoted } from './grammar-parts.ts';
import { isHeldByParts, isHeldByType, pointerTo } from './held.ts';
import { isObject } from './json-text.ts';

/** How tagged arguments are written, for a grammar. */
export interface TaggedLayout {
  head(name: string): string;
  argument(key: string): string;
  /** After a value that is JSON. A string ends with `valueEnd` alone. */
  afterValue: string;
  valueEnd: string;
  /** After a string's end. */
  afterString: string;
  tail: string;
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
  const parts = createGrammarParts(deps.how);
  const calls = deps.tools.map((tool) => {
    const body = argumentRules(parts, deps.layout, tool);
    const head = deps.headOf(tool);
    return [head === '' ? '' : quoted(head), ...body, quoted(deps.layout.tail)].filter((part) => part !== '').join(' ');
  });
  return parts.print(choice(calls));
}

function argumentRules(parts: GrammarParts, layout: TaggedLayout, tool: ToolDefinition): string[] {
  const root = tool.parameters ?? {};
  const properties = isObject(root['properties']) ? root['properties'] : {};
  const required = new Set(Array.isArray(root['required']) ? root['required'] : []);
  if (!isHeldByParts(root)) parts.leaveOpen(tool);
  return Object.entries(properties).map(([key, schema]) => {
    const rule = parts.add(`${quoted(layout.argument(key))} ${valueRule(parts, layout, key, schema, tool)}`);
    return required.has(key) ? rule : `${rule}?`;
  });
}

function valueRule(
  parts: GrammarParts,
  layout: TaggedLayout,
  key: string,
  schema: unknown,
  tool: ToolDefinition,
): string {
  const root = tool.parameters ?? {};
  const closing = quoted(layout.afterValue + layout.valueEnd + layout.afterString);
  const entry = pointerTo(key);
  const values = listedValues(root, entry);
  if (values !== null && values.length > 0) {
    const texts = values.map((value) => quoted(typeof value === 'string' ? value : JSON.stringify(value)));
    return `${choice(texts)} ${closing}`;
  }
  const types = typesOf(schema, root);
  // A union with strings is written bare as well: what it is shows when it is read.
  if (types === null || types.has('string') || isOnlyString(types)) {
    if (!isHeldByType(schema)) parts.leaveOpen(tool);
    return `${parts.textUntil(layout.valueEnd)} ${quoted(layout.afterString)}`;
  }
  return `${parts.schema(root, tool, entry)} ${closing}`;
}
