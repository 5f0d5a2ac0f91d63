import { bindPlaces, type Parameter } from './bind.ts';
import { equals } from './compare.ts';
import { valueError } from './errors.ts';
import { indexOf } from './numbers.ts';
import { textMethods } from './text-methods.ts';
import {
  Callable,
  Dict,
  DictView,
  Float,
  iterate,
  Markup,
  type Named,
  Range,
  type Runtime,
  Tuple,
  textOfValue,
  type Value,
} from './values.ts';

type Method<Self> = (self: Self, args: Value[], named: Named, runtime: Runtime) => Value;

/** A method without arguments. */
const plain =
  <Self>(name: string, run: (self: Self) => Value): Method<Self> =>
  (self, args, named) => {
    bindPlaces(name, [], args, named);
    return run(self);
  };

/** A template may not change what it is given. */
const changesDict = new Set(['clear', 'pop', 'popitem', 'setdefault', 'update']);
const changesList = new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove']);

const dictMethods: Record<string, Method<Dict>> = {
  items: plain('items', (self: Dict) => new DictView('items', self)),
  keys: plain('keys', (self: Dict) => new DictView('keys', self)),
  values: plain('values', (self: Dict) => new DictView('values', self)),
  get: (self, args, named) => {
    const [key, missing] = bindPlaces('get', ['key', ['default', null]], args, named);
    const value = self.get(key!);
    return value === undefined ? missing! : value;
  },
  copy: plain('copy', (self: Dict) => Dict.of(self.entries())),
  fromkeys: (_self, args, named) => {
    const [keys, value] = bindPlaces('fromkeys', ['iterable', ['value', null]], args, named);
    return Dict.of(Array.from(iterate(keys!), (key) => [key, value!] as const));
  },
};

type Row = Value[] | Tuple | Range;
const itemsOf = (row: Row): Value[] => (Array.isArray(row) ? row : row instanceof Tuple ? row.items : [...row.items()]);

const rowMethods: Record<string, Method<Row>> = {
  count: (self, args, named) => {
    const [wanted] = bindPlaces('count', ['value'], args, named);
    return itemsOf(self).filter((item) => equals(item, wanted!)).length;
  },
  index: (self, args, named) => {
    const items = itemsOf(self);
    const bounds: Parameter[] =
      self instanceof Range
        ? []
        : [
            ['start', 0],
            ['stop', items.length],
          ];
    const [wanted, start = 0, stop = items.length] = bindPlaces('index', ['value', ...bounds], args, named);
    const place = (value: Value) => (indexOf(value) < 0 ? Math.max(0, indexOf(value) + items.length) : indexOf(value));
    for (let at = place(start); at < Math.min(place(stop), items.length); at++) {
      if (equals(items[at]!, wanted!)) return at;
    }
    throw valueError('the value is not in the list');
  },
};

const listMethods: Record<string, Method<Row>> = {
  ...rowMethods,
  copy: plain('copy', (self: Row) => [...itemsOf(self)]),
};

const wholeMethods: Record<string, Method<number | bigint>> = {
  bit_length: (self) => (Number(self) === 0 ? 0 : BigInt(self).toString(2).replace('-', '').length),
  bit_count: (self) => BigInt(self).toString(2).replaceAll(/[-0]/gu, '').length,
  conjugate: (self) => self,
  as_integer_ratio: (self) => new Tuple([self, 1]),
};

const floatMethods: Record<string, Method<Float>> = {
  is_integer: (self) => Number.isInteger(self.value),
  conjugate: (self) => self,
};

function bound<Self>(methods: Record<string, Method<Self>>, self: Self, name: string): Value | undefined {
  if (!Object.hasOwn(methods, name)) return undefined;
  const method = methods[name]!;
  return new Callable(name, (runtime, args, named) => method(self, args, named, runtime), {
    typeName: 'builtin_function_or_method',
  });
}

/** A method of one of Python's own types; `unsafe` for one that would change the value. */
export function methodOf(value: Value, name: string): Value | 'unsafe' | undefined {
  if (typeof value === 'string') return bound(textMethods, value, name);
  if (value instanceof Dict) return changesDict.has(name) ? 'unsafe' : bound(dictMethods, value, name);
  if (Array.isArray(value)) return changesList.has(name) ? 'unsafe' : bound(listMethods, value, name);
  if (value instanceof Tuple || value instanceof Range) return bound(rowMethods, value, name);
  if (value instanceof Float) return bound(floatMethods, value, name);
  if (typeof value === 'number' || typeof value === 'bigint') return bound(wholeMethods, value, name);
  if (typeof value === 'boolean') return bound(wholeMethods, Number(value), name);
  if (value instanceof Markup) return markupMethod(value, name);
  return undefined;
}

const toMarkup = (part: Value) => new Markup(textOfValue(part) ?? '');

const toPlain = new Set(['unescape', 'striptags']);

/** Methods of HTML are those of text, and what they make is HTML again. */
function markupMethod(value: Markup, name: string): Value | undefined {
  const method = bound(textMethods, value.text, name);
  if (!(method instanceof Callable) || toPlain.has(name)) return method;
  return new Callable(name, (runtime, args, named) => {
    const result = method.call(runtime, args, named);
    if (Array.isArray(result)) return result.map(toMarkup);
    if (result instanceof Tuple) return new Tuple(result.items.map(toMarkup));
    return typeof result === 'string' ? new Markup(result) : result;
  });
}
