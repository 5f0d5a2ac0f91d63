import type { Parameter } from './bind.ts';
import { compare, equals } from './compare.ts';
import { JinjaError, typeError } from './errors.ts';
import { attributeGetter, define, type Filter, ignoringCase } from './filters-define.ts';
import { indexOf } from './numbers.ts';
import { binary } from './operators.ts';
import { str } from './print.ts';
import {
  Dict,
  DictView,
  isTrue,
  iterate,
  Markup,
  Once,
  Range,
  type Runtime,
  Tuple,
  textOfValue,
  Undefined,
  type Value,
} from './values.ts';

const empty = (what: string) => new Undefined(() => `No ${what} item, sequence was empty.`);

/** All items of a collection, counted. */
function listOf(value: Value, runtime: Runtime): Value[] {
  const items: Value[] = [];
  for (const item of iterate(value)) {
    items.push(item);
    if (items.length % 1024 === 0) runtime.budget.items(items.length);
  }
  runtime.budget.spend(items.length);
  return items;
}

/** Sorted by a key as Python sorts: stable, also backwards. */
function sorted(items: readonly Value[], keyOf: (item: Value) => Value, reverse: boolean, runtime: Runtime): Value[] {
  runtime.budget.spend(items.length * 20);
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => {
    const order = compare(a.key, b.key, '<');
    return (reverse ? -order : order) || 0;
  });
  return keyed.map(({ item }) => item);
}

/** Keys for a comma-separated list of paths. */
function multiGetter(attribute: Value, caseSensitive: boolean, runtime: Runtime): (item: Value) => Value {
  const text = textOfValue(attribute);
  const getters = (text === undefined ? [attribute] : text.split(',')).map((part) => attributeGetter(part, runtime));
  return (item) => getters.map((get) => (caseSensitive ? get(item) : ignoringCase(get(item))));
}

function single(attribute: Value, caseSensitive: Value, runtime: Runtime, missing: Value = null) {
  const get = attributeGetter(attribute, runtime, missing);
  return isTrue(caseSensitive) ? get : (item: Value) => ignoringCase(get(item));
}

const extreme = (name: string, isBetter: (order: number) => boolean): Filter =>
  define(
    name,
    [
      ['case_sensitive', false],
      ['attribute', null],
    ],
    (value, [caseSensitive, attribute], runtime) => {
      const items = listOf(value, runtime);
      if (items.length === 0) return new Undefined(() => 'No aggregated item, sequence was empty.');
      const keyOf = single(attribute!, caseSensitive!, runtime);
      let best: Value = items[0]!;
      let bestKey = keyOf(best);
      for (const item of items.slice(1)) {
        const key = keyOf(item);
        if (isBetter(compare(key, bestKey, name === 'min' ? '<' : '>'))) [best, bestKey] = [item, key];
      }
      return best;
    },
  );

function* batched(value: Value, size: number, fill: Value, runtime: Runtime): Generator<Value> {
  let batch: Value[] = [];
  const filled = (items: Value[]) => {
    runtime.budget.items(Math.max(0, size - items.length));
    const missing = fill === null ? 0 : Math.max(0, size - items.length);
    return [...items, ...Array.from({ length: missing }, () => fill)];
  };
  for (const item of iterate(value)) {
    if (batch.length === size) {
      yield batch;
      batch = [];
    }
    batch.push(item);
    runtime.budget.spend(1);
  }
  if (batch.length > 0) yield filled(batch);
}

function* slicesOf(value: Value, count: number, fill: Value, runtime: Runtime): Generator<Value> {
  const items = listOf(value, runtime);
  if (count === 0) throw new JinjaError('ZeroDivisionError', 'integer division or modulo by zero');
  const size = Math.floor(items.length / count);
  const longer = items.length % count;
  let at = 0;
  for (let index = 0; index < count; index++) {
    runtime.budget.spend(1);
    const end = at + size + (index < longer ? 1 : 0);
    yield [...items.slice(at, end), ...(fill !== null && index >= longer ? [fill] : [])];
    at = end;
  }
}

function* uniqueItems(value: Value, keyOf: (item: Value) => Value, runtime: Runtime): Generator<Value> {
  const seen = new Dict();
  for (const item of iterate(value)) {
    runtime.budget.spend(4);
    const key = keyOf(item);
    if (seen.has(key)) continue;
    seen.set(key, true);
    yield item;
  }
}

function* itemsOf(value: Value): Generator<Value> {
  if (value instanceof Undefined) return;
  if (!(value instanceof Dict)) throw typeError('Can only get item pairs from a mapping.');
  yield* new DictView('items', value).items();
}

function groupBy(value: Value, [attribute, missing, caseSensitive]: Value[], runtime: Runtime): Value {
  const keyOf = single(attribute!, caseSensitive!, runtime, missing!);
  const written = attributeGetter(attribute!, runtime, missing!);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(listOf(value, runtime), keyOf, false, runtime)) {
    const key = keyOf(item);
    const last = groups.at(-1);
    if (last && equals(last.key, key)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return groups.map(({ items }) => new Tuple([written(items[0]!), items], ['grouper', 'list']));
}

function last(value: Value): Value {
  if (value instanceof Range) return value.length === 0 ? empty('last') : value.at(value.length - 1);
  const items = reversible(value);
  if (!items) throw typeError('the value cannot be walked through backwards');
  return items.length === 0 ? empty('last') : items.at(-1)!;
}

/** The items of what Python can walk through backwards. */
function reversible(value: Value): Value[] | null {
  const text = textOfValue(value);
  if (text !== undefined) return [...text];
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Undefined) return [];
  if (value instanceof Dict || value instanceof DictView || value instanceof Range) return [...iterate(value)];
  return null;
}

function* backwards(items: readonly Value[]): Generator<Value> {
  for (let index = items.length - 1; index >= 0; index--) yield items[index]!;
}

function reverse(value: Value, runtime: Runtime): Value {
  const text = textOfValue(value);
  const items = reversible(value);
  runtime.budget.scan(text?.length ?? items?.length ?? 0);
  if (text !== undefined) {
    const result = runtime.rejoined([...text].reverse().join(''), text);
    return value instanceof Markup ? new Markup(result) : result;
  }
  return items ? new Once(backwards(items), 'list_reverseiterator') : listOf(value, runtime).reverse();
}

function join(value: Value, [separator, attribute]: Value[], runtime: Runtime): Value {
  const get = attribute === null ? null : attributeGetter(attribute!, runtime);
  const parts: string[] = [];
  let length = 0;
  for (const item of iterate(value)) {
    const part = str(get ? get(item) : item, runtime);
    parts.push(part);
    length += part.length + 1;
    runtime.budget.text(length);
  }
  const between = str(separator!, runtime);
  runtime.budget.text(length + between.length * parts.length);
  return parts.join(between);
}

function dictSort(value: Value, [caseSensitive, by, backwardsToo]: Value[], runtime: Runtime): Value {
  if (by !== 'key' && by !== 'value') {
    throw new JinjaError('FilterArgumentError', 'You can only sort by either "key" or "value"');
  }
  if (value instanceof Undefined) throw value.error();
  if (!(value instanceof Dict)) throw typeError('dictsort needs a mapping');
  const pairs = Array.from(value.entries(), ([key, item]) => new Tuple([key, item]));
  const part = (pair: Value) => (pair instanceof Tuple ? pair.items[by === 'key' ? 0 : 1]! : null);
  const keyOf = (pair: Value) => (isTrue(caseSensitive!) ? part(pair) : ignoringCase(part(pair)));
  return sorted(pairs, keyOf, isTrue(backwardsToo!), runtime);
}

function sum(value: Value, [attribute, start]: Value[], runtime: Runtime): Value {
  const get = attributeGetter(attribute!, runtime);
  if (textOfValue(start!) !== undefined) throw typeError("sum() can't sum strings");
  let total: Value = start!;
  for (const item of iterate(value)) {
    runtime.budget.spend(1);
    total = binary('+', total, get(item), runtime);
  }
  return total;
}

const attribute: Parameter[] = [['attribute', null]];
const caseSensitive: Parameter[] = [['case_sensitive', false]];

export const collectionFilters: Record<string, Filter> = {
  batch: define(
    'batch',
    ['linecount', ['fill_with', null]],
    (value, [size, fill], runtime) => new Once(batched(value, indexOf(size!), fill!, runtime)),
  ),
  slice: define(
    'slice',
    ['slices', ['fill_with', null]],
    (value, [count, fill], runtime) => new Once(slicesOf(value, indexOf(count!), fill!, runtime)),
  ),
  dictsort: define('dictsort', [...caseSensitive, ['by', 'key'], ['reverse', false]], dictSort),
  first: define('first', [], (value) => {
    for (const item of iterate(value)) return item;
    return empty('first');
  }),
  last: define('last', [], last),
  random: define('random', [], (value, _args, runtime) => {
    const items =
      Array.isArray(value) || typeof value === 'string' || value instanceof Tuple || value instanceof Range
        ? listOf(value, runtime)
        : null;
    if (value instanceof Undefined) return empty('random');
    if (!items) throw typeError('random needs a sequence');
    return items.length === 0 ? empty('random') : items[Math.floor(Math.random() * items.length)]!;
  }),
  groupby: define('groupby', ['attribute', ['default', null], ...caseSensitive], groupBy),
  items: define('items', [], (value) => new Once(itemsOf(value))),
  join: define('join', [['d', ''], ...attribute], join),
  list: define('list', [], (value, _args, runtime) => listOf(value, runtime)),
  max: extreme('max', (order) => order > 0),
  min: extreme('min', (order) => order < 0),
  reverse: define('reverse', [], (value, _args, runtime) => reverse(value, runtime)),
  sort: define('sort', [['reverse', false], ...caseSensitive, ...attribute], (value, [backward, exact, by], runtime) =>
    sorted(listOf(value, runtime), multiGetter(by!, isTrue(exact!), runtime), isTrue(backward!), runtime),
  ),
  sum: define('sum', [...attribute, ['start', 0]], sum),
  unique: define(
    'unique',
    [...caseSensitive, ...attribute],
    (value, [exact, by], runtime) => new Once(uniqueItems(value, single(by!, exact!, runtime), runtime)),
  ),
};
