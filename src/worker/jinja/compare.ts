import { JinjaError, typeError } from './errors.ts';
import { compareText } from './unicode.ts';
import {
  Dict,
  DictView,
  Float,
  iterate,
  Markup,
  Once,
  Range,
  Tuple,
  textOfValue,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** A number for comparing; JavaScript's undefined for anything else. */
function numberOf(value: Value): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return Number(value);
  return value instanceof Float ? value.value : undefined;
}

/** By value also where one is a bigint; NaN where one is no number. */
function numberOrder(a: number | bigint, b: number | bigint): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : 0;
}

/** Parts that are looked at before two values are given up as too large to compare. */
const maxParts = 1_000_000;
type Count = { parts: number };

/** Python's `a == b`. Throws `BudgetError` for values that are each within the other a million times. */
export function equals(a: Value, b: Value, count: Count = { parts: 0 }): boolean {
  if (a === b) return !(a instanceof Float && Number.isNaN(a.value));
  if (typeof a === 'string' && typeof b === 'string') return false;
  const left = numberOf(a);
  if (left !== undefined) {
    const right = numberOf(b);
    return right !== undefined && numberOrder(left, right) === 0;
  }
  if (Array.isArray(a)) return Array.isArray(b) && sameItems(a, b, count);
  if (a instanceof Tuple) return b instanceof Tuple && sameItems(a.items, b.items, count);
  if (a instanceof Dict) return b instanceof Dict && sameEntries(a, b, count);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Range) {
    return (
      b instanceof Range &&
      a.length === b.length &&
      (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)))
    );
  }
  if (a instanceof DictView && b instanceof DictView && a.kind !== 'values' && b.kind !== 'values') {
    return a.dict.size === b.dict.size && [...a.items()].every((item) => contains(b, item));
  }
  const text = textOfValue(a);
  return text !== undefined && text === textOfValue(b);
}

function same(a: Value, b: Value, count: Count): boolean {
  if (++count.parts > maxParts) throw new JinjaError('BudgetError', 'the template compares too much');
  return a === b || equals(a, b, count);
}

const sameItems = (a: readonly Value[], b: readonly Value[], count: Count) =>
  a.length === b.length && a.every((item, index) => same(item, b[index]!, count));

function sameEntries(a: Dict, b: Dict, count: Count): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !same(value, other, count)) return false;
  }
  return true;
}

/** Negative, zero or positive; NaN where neither is less. Throws `TypeError` for what has no order. */
export function compare(a: Value, b: Value, operator: string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (a instanceof Undefined) throw a.error();
  if (b instanceof Undefined) throw b.error();
  const left = numberOf(a);
  const right = numberOf(b);
  if (left !== undefined && right !== undefined) return numberOrder(left, right);
  const text = textOfValue(a);
  const otherText = textOfValue(b);
  if (text !== undefined && otherText !== undefined) return compareText(text, otherText);
  if (Array.isArray(a) && Array.isArray(b)) return compareItems(a, b, operator);
  if (a instanceof Tuple && b instanceof Tuple) return compareItems(a.items, b.items, operator);
  throw typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function compareItems(a: readonly Value[], b: readonly Value[], operator: string): number {
  for (const [index, item] of a.entries()) {
    if (index >= b.length) break;
    if (!same(item, b[index]!, { parts: 0 })) return compare(item, b[index]!, operator);
  }
  return a.length - b.length;
}

/** Python's `item in container`. */
export function contains(container: Value, item: Value): boolean {
  const text = textOfValue(container);
  if (text !== undefined) {
    const part = textOfValue(item);
    if (part === undefined) {
      throw typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    }
    return text.includes(part);
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.kind === 'keys') return container.dict.has(item);
  if (!isCollection(container)) throw typeError(`argument of type '${typeName(container)}' is not iterable`);
  for (const other of iterate(container)) if (same(other, item, { parts: 0 })) return true;
  return false;
}

/** True for what a loop can walk through. */
export function isCollection(value: Value): boolean {
  return (
    Array.isArray(value) ||
    typeof value === 'string' ||
    [Dict, DictView, Tuple, Range, Once, Markup, Undefined].some((type) => value instanceof type)
  );
}
