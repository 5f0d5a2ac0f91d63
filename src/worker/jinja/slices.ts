import { JinjaError, typeError, valueError } from './errors.ts';
import { wholeOf } from './numbers.ts';
import { hasSurrogates, lengthOf } from './unicode.ts';
import { Markup, Range, type SliceValue, Tuple, textOfValue, typeName, type Value } from './values.ts';

function bound(value: Value): number | null {
  if (value === null) return null;
  const whole = wholeOf(value);
  if (whole === undefined) throw typeError('slice indices must be integers or None or have an __index__ method');
  return Number(whole);
}

/** Start, end, step and number of the items that a slice takes of so many. */
export function sliceRange(
  slice: SliceValue,
  length: number,
): { start: number; stop: number; step: number; count: number } {
  const step = bound(slice.step) ?? 1;
  if (step === 0) throw valueError('slice step cannot be zero');
  const low = step < 0 ? -1 : 0;
  const high = step < 0 ? length - 1 : length;
  const place = (index: number | null, missing: number) =>
    index === null ? missing : Math.min(high, Math.max(low, index < 0 ? index + length : index));
  const start = place(bound(slice.start), step < 0 ? high : low);
  const stop = place(bound(slice.stop), step < 0 ? low : high);
  return { start, stop, step, count: Math.max(0, Math.ceil((stop - start) / step)) };
}

/** A part of a text by a slice. */
export function sliceText(text: string, slice: SliceValue): string {
  const characters = hasSurrogates(text) ? [...text] : text;
  const { start, step, count } = sliceRange(slice, characters.length);
  if (typeof characters === 'string' && step === 1) return characters.slice(start, start + count);
  let result = '';
  for (let index = 0; index < count; index++) result += characters[start + index * step]!;
  return result;
}

/** `value[a:b:c]`. Throws `TypeError` for what has no parts in a row. */
export function sliced(value: Value, slice: SliceValue): Value {
  const text = textOfValue(value);
  if (text !== undefined) {
    const part = sliceText(text, slice);
    return value instanceof Markup ? new Markup(part) : part;
  }
  if (value instanceof Range) {
    const { start, stop, step } = sliceRange(slice, value.length);
    return new Range(value.at(start), value.at(stop), value.step * step);
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : null;
  if (!items) throw typeError(`'${typeName(value)}' object is not subscriptable`);
  const { start, step, count } = sliceRange(slice, items.length);
  const part =
    step === 1
      ? items.slice(start, start + count)
      : Array.from({ length: count }, (_, index) => items[start + index * step]!);
  return Array.isArray(value) ? part : new Tuple(part);
}

/** `value[index]` of what has parts in a row; undefined for anything else. Throws `TypeError`, `IndexError`. */
export function itemAt(value: Value, key: Value): Value | undefined {
  const text = textOfValue(value);
  const isRow = text !== undefined || Array.isArray(value) || value instanceof Tuple || value instanceof Range;
  if (!isRow) return undefined;
  const whole = wholeOf(key);
  if (whole === undefined) throw typeError(`indices must be integers or slices, not ${typeName(key)}`);
  const index = Number(whole);
  const at = (length: number) => {
    const place = index < 0 ? index + length : index;
    if (place < 0 || place >= length) throw new JinjaError('IndexError', 'index out of range');
    return place;
  };
  if (Array.isArray(value)) return value[at(value.length)]!;
  if (value instanceof Tuple) return value.items[at(value.items.length)]!;
  if (value instanceof Range) return value.at(at(value.length));
  const character = hasSurrogates(text!) ? [...text!][at(lengthOf(text!))]! : text![at(text!.length)]!;
  return value instanceof Markup ? new Markup(character) : character;
}
