import type { ToolDefinition } from '../../core/chat.ts';
import { isOnlyString, typesOf } from './argument-types.ts';
import { choice, createGrammarParts, type GrammarParts, quoted } from './grammar-parts.ts';
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
  nowMs: () => number;
}): string {
  const parts = createGrammarParts(deps.nowMs);
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
  return Object.entries(properties).map(([key, schema]) => {
    const rule = parts.add(`${quoted(layout.argument(key))} ${valueRule(parts, layout, schema, root)}`);
    return required.has(key) ? rule : `${rule}?`;
  });
}

function valueRule(parts: GrammarParts, layout: TaggedLayout, schema: unknown, root: Record<string, unknown>): string {
  const closing = quoted(layout.afterValue + layout.valueEnd + layout.afterString);
  if (isObject(schema)) {
    const values = 'const' in schema ? [schema['const']] : schema['enum'];
    if (Array.isArray(values) && values.length > 0) {
      const texts = values.map((value) => quoted(typeof value === 'string' ? value : JSON.stringify(value)));
      return `${choice(texts)} ${closing}`;
    }
  }
  const types = typesOf(schema, root);
  // A union with strings is written bare as well: what it is shows when it is read.
  if (types === null || types.has('string') || isOnlyString(types)) {
    return `${parts.textUntil(layout.valueEnd)} ${quoted(layout.afterString)}`;
  }
  const definitions = {
    ...('$defs' in root && { $defs: root['$defs'] }),
    ...('definitions' in root && { definitions: root['definitions'] }),
  };
  return `${parts.schema({ ...definitions, ...(isObject(schema) ? schema : {}) })} ${closing}`;
}
