import type { Budget } from './budget.ts';
import { compare } from './compare.ts';
import { typeError } from './errors.ts';
import { floatText } from './print.ts';
import { Dict, Float, Markup, Tuple, typeName, type Value } from './values.ts';

export interface JsonStyle {
  /** Escape what is not ASCII, but for characters of `invisible`. */
  ascii: boolean;
  invisible: string;
  /** One level of indentation, null for one line. */
  indent: string | null;
  itemSeparator: string;
  keySeparator: string;
  sortKeys: boolean;
  budget: Budget;
}

/** Python's `json.dumps`. Throws `TypeError` for what is no JSON. */
export function toJson(value: Value, style: JsonStyle): string {
  return write(value, style, '\n');
}

function write(value: Value, style: JsonStyle, lineStart: string): string {
  if (typeof value === 'string') return jsonText(value, style);
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Float) return jsonFloat(value.value);
  if (value instanceof Markup) return jsonText(value.text, style);
  const inner = style.indent === null ? lineStart : lineStart + style.indent;
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    if (items.length === 0) return '[]';
    style.budget.spend(items.length);
    return enclosed(
      '[',
      items.map((item) => write(item, style, inner)),
      ']',
      style,
      lineStart,
    );
  }
  if (value instanceof Dict) {
    if (value.size === 0) return '{}';
    style.budget.spend(value.size);
    const entries = [...value.entries()];
    if (style.sortKeys) entries.sort(([a], [b]) => compare(a, b, '<'));
    const parts = entries.map(([key, item]) => jsonKey(key, style) + style.keySeparator + write(item, style, inner));
    return enclosed('{', parts, '}', style, lineStart);
  }
  throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function enclosed(open: string, parts: string[], close: string, style: JsonStyle, lineStart: string): string {
  const [before, between, after] =
    style.indent === null
      ? ['', style.itemSeparator, '']
      : [lineStart + style.indent, style.itemSeparator + lineStart + style.indent, lineStart];
  return open + before + parts.join(between) + after + close;
}

function jsonKey(key: Value, style: JsonStyle): string {
  if (typeof key === 'string') return jsonText(key, style);
  if (key instanceof Markup) return jsonText(key.text, style);
  if (key === null || typeof key === 'boolean' || typeof key === 'number' || typeof key === 'bigint') return `"${key}"`;
  if (key instanceof Float) return `"${jsonFloat(key.value)}"`;
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return floatText(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

const loneSurrogate = /\\u(d[89a-f][0-9a-f]{2})/gu;

function jsonText(text: string, { ascii, invisible, budget }: JsonStyle): string {
  budget.scan(text.length);
  const quoted = JSON.stringify(text);
  if (ascii) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is not ASCII
    return quoted.replace(/[^\x00-\x7f]/g, (unit) =>
      invisible.includes(unit) ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  }
  // JavaScript escapes half a surrogate pair, Python does not.
  return text.isWellFormed()
    ? quoted
    : quoted.replace(loneSurrogate, (whole, code, at: number) =>
        isEscaped(quoted, at) ? whole : String.fromCharCode(Number.parseInt(code, 16)),
      );
}

/** True where the backslash at a place is itself escaped. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}
