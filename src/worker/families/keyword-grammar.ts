import type { ToolDefinition } from '../../core/chat.ts';
import { listedValues } from '../grammar/grammar.ts';
import { typesOf } from './argument-types.ts';
import { choice, type GrammarParts, quoted } from './grammar-parts.ts';
import { isHeldByParts, isHeldByType, pointerTo } from './held.ts';
import { isObject } from './json-text.ts';

/** A notation of named arguments that is not JSON: Python's, or Gemma's. Rules are names or bodies of GBNF. */
export interface KeywordNotation {
  /** Rule of any string. */
  text: string;
  /** A given string as it is written; null when the notation cannot hold it. */
  textOf(value: string): string | null;
  words: { true: string; false: string; null: string };
  /** Text between a parameter's name and its value. */
  afterKey: string;
  separator: string;
  /** Rule of any value. */
  value: string;
}

const integer = '"-"? ("0" | [1-9] [0-9]{0,15})';

/**
 * The arguments of a tool: its declared parameters in their order, required ones first, each of a type that its schema
 * allows. `enum` and `const` count; other keywords do not, for their grammars write JSON. A tool that declares none gets
 * no arguments.
 */
export function keywordArguments(parts: GrammarParts, notation: KeywordNotation, tool: ToolDefinition): string {
  const root = tool.parameters ?? {};
  const properties = isObject(root['properties']) ? Object.entries(root['properties']) : [];
  const required = new Set(Array.isArray(root['required']) ? root['required'] : []);
  if (!isHeldByParts(root)) parts.leaveOpen(tool);
  const pair = ([key, schema]: [string, unknown]) => {
    const values = listedValues(root, pointerTo(key));
    if (values === null && !isHeldByType(schema)) parts.leaveOpen(tool);
    const given = values === null || values.length === 0 ? schema : { enum: values };
    return parts.add(`${quoted(key + notation.afterKey)} ${valueRule(parts, notation, given, root)}`);
  };
  const musts = properties.filter(([key]) => required.has(key)).map(pair);
  const mays = properties.filter(([key]) => !required.has(key)).map(pair);
  const comma = quoted(notation.separator);
  const following = (rules: readonly string[]) => rules.map((rule) => `(${comma} ${rule})?`).join(' ');
  if (musts.length > 0) return parts.add(`${musts.join(` ${comma} `)} ${following(mays)}`.trimEnd());
  if (mays.length === 0) return '""';
  // Any of them may be the first.
  return parts.add(`${choice(mays.map((rule, index) => `${rule} ${following(mays.slice(index + 1))}`.trimEnd()))}?`);
}

function valueRule(parts: GrammarParts, notation: KeywordNotation, schema: unknown, root: unknown): string {
  const { words } = notation;
  const given = isObject(schema) ? ('const' in schema ? [schema['const']] : schema['enum']) : undefined;
  if (Array.isArray(given) && given.length > 0) {
    const literals = given.map((value: unknown) => {
      if (typeof value === 'string') return notation.textOf(value);
      if (typeof value === 'number') return String(value);
      return value === null ? words.null : typeof value === 'boolean' ? words[`${value}`] : null;
    });
    const known = literals.filter((text) => text !== null);
    return known.length === literals.length ? choice(known.map(quoted)) : notation.value;
  }
  const types = typesOf(schema, root);
  const isInteger = isObject(schema) && schema['type'] === 'integer';
  const items = isObject(schema) ? schema['items'] : undefined;
  const bodies: Record<string, () => string> = {
    string: () => notation.text,
    number: () => (isInteger ? integer : `${integer} ("." [0-9]{1,16})?`),
    boolean: () => `(${quoted(words.true)} | ${quoted(words.false)})`,
    null: () => quoted(words.null),
    array: () => {
      const item = parts.add(items === undefined ? notation.value : valueRule(parts, notation, items, root));
      return `"[" (${item} (${quoted(notation.separator)} ${item})*)? "]"`;
    },
  };
  const known = types && [...types].every((type) => type in bodies) ? [...types] : null;
  return known ? parts.add(choice(known.map((type) => bodies[type]!()))) : notation.value;
}

/** Python's notation. Strings stand between `quote`s, without escapes. */
export function pythonNotation(parts: GrammarParts, quote: '"' | "'"): KeywordNotation {
  const text = parts.add(`${quoted(quote)} [^${quote}\\\\\\n]* ${quoted(quote)}`);
  const plain = parts.add(`${text} | ${integer} ("." [0-9]{1,16})? | "True" | "False" | "None"`);
  return {
    text,
    textOf: (value) => (/['"\\\n]/.test(value) ? null : quote + value + quote),
    words: { true: 'True', false: 'False', null: 'None' },
    afterKey: '=',
    separator: ', ',
    value: parts.add(`${plain} | "[" (${plain} (", " ${plain})*)? "]"`),
  };
}
