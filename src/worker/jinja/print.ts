import type { Budget } from './budget.ts';
import { isPrintable } from './unicode.ts';
import {
  Callable,
  Dict,
  DictView,
  Fielded,
  Float,
  Markup,
  Namespace,
  type PyObject,
  Range,
  SliceValue,
  Tuple,
  Undefined,
  type Value,
} from './values.ts';

/** A float as Python prints it. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (exponent < 0) {
    const digits = mantissa.replace(/[-.]/gu, '');
    return `${value < 0 ? '-' : ''}0.${'0'.repeat(-exponent - 1)}${digits}`;
  }
  const text = value.toString();
  return text.includes('.') ? text : `${text}.0`;
}

const escapes: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
const plain = /^[ -&(-[\]-~]*$/;

/** A string with quotes as Python prints it in a list; characters of `invisible` stay as they are. */
export function quoted(text: string, invisible = ''): string {
  if (plain.test(text)) return `'${text}'`;
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let result = quote;
  for (const character of text) {
    const short = escapes[character];
    if (short) result += short;
    else if (character === quote) result += `\\${quote}`;
    else if (isPrintable(character) || (invisible !== '' && invisible.includes(character))) result += character;
    else result += escapedCode(character.codePointAt(0)!);
  }
  return result + quote;
}

/** `\x1b`, `\u200b`, `\U0001f600`. */
export function escapedCode(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** What printing needs of a rendering. */
export interface Printer {
  /** Shown as it is where Python would escape what cannot be printed. */
  readonly invisible: string;
  readonly budget: Budget;
}

/** Python's `str(value)`. */
export function str(value: Value, printer: Printer): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  return value instanceof Undefined ? '' : repr(value, printer);
}

/** Python's `repr(value)`. */
export function repr(value: Value, printer: Printer, within: readonly Value[] = []): string {
  printer.budget.spend(1);
  if (value === null) return 'None';
  if (typeof value === 'string') {
    printer.budget.scan(value.length);
    return quoted(value, printer.invisible);
  }
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value instanceof Float) return floatText(value.value);
  return reprObject(value, printer, within);
}

function reprObject(value: Value[] | PyObject, printer: Printer, within: readonly Value[]): string {
  const inside = (item: Value) => repr(item, printer, value instanceof Namespace ? [...within, value] : within);
  const list = (items: Iterable<Value>) => Array.from(items, inside).join(', ');
  if (Array.isArray(value)) return `[${list(value)}]`;
  if (value instanceof Markup) return `Markup(${quoted(value.text, printer.invisible)})`;
  if (value instanceof Tuple)
    return value.items.length === 1 ? `(${inside(value.items[0]!)},)` : `(${list(value.items)})`;
  if (value instanceof Dict) {
    return `{${Array.from(value.entries(), ([key, item]) => `${inside(key)}: ${inside(item)}`).join(', ')}}`;
  }
  if (value instanceof DictView) return `${value.typeName}([${list(value.items())}])`;
  if (value instanceof Range) {
    return `range(${value.start}, ${value.stop}${value.step === 1 ? '' : `, ${value.step}`})`;
  }
  if (value instanceof Undefined) return 'Undefined';
  // Only a namespace can hold itself.
  if (value instanceof Namespace) return `<Namespace ${within.includes(value) ? '{...}' : inside(value.fields)}>`;
  if (value instanceof SliceValue) return `slice(${list([value.start, value.stop, value.step])})`;
  if (value instanceof Fielded) return value.describe();
  return value instanceof Callable ? `<${value.typeName} ${value.name}>` : `<${value.typeName} object>`;
}
