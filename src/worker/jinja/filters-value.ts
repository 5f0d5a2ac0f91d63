import { JinjaError, typeError } from './errors.ts';
import { define, type Filter } from './filters-define.ts';
import { toJson } from './json.ts';
import { fixed, indexOf, numberOf, parseWhole, round, toFloat, toWhole, type Whole, wholeOf } from './numbers.ts';
import { lengthOf } from './unicode.ts';
import {
  Dict,
  DictView,
  Fielded,
  Float,
  integer,
  isTrue,
  Range,
  type Runtime,
  Tuple,
  textOfValue,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

/** Python's `len(value)`. Throws `TypeError`. */
export function length(value: Value): number {
  const text = textOfValue(value);
  if (text !== undefined) return lengthOf(text);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  const own = value instanceof Fielded ? value.field('length') : undefined;
  if (typeof own === 'number') return own;
  throw typeError(`object of type '${typeName(value)}' has no len()`);
}

const caught = (error: unknown, ...kinds: string[]) => error instanceof JinjaError && kinds.includes(error.kind);

function toInt(value: Value, otherwise: Value, base: Value): Value {
  try {
    const text = textOfValue(value);
    return text === undefined ? toWhole(value) : parseWhole(text, indexOf(base));
  } catch (error) {
    if (!caught(error, 'TypeError', 'ValueError')) throw error;
  }
  // "42.23" is 42.
  try {
    return toWhole(new Float(toFloat(value)));
  } catch (error) {
    if (caught(error, 'TypeError', 'ValueError', 'OverflowError')) return otherwise;
    throw error;
  }
}

function rounded(value: Value, precision: Value, method: Value): Value {
  if (method !== 'common' && method !== 'ceil' && method !== 'floor') {
    throw new JinjaError('FilterArgumentError', 'method must be common, ceil or floor');
  }
  const digits = indexOf(precision);
  if (method === 'common') return round(value, digits);
  if (value instanceof Undefined) throw value.error();
  const number = numberOf(value);
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  const unit = 10 ** digits;
  const scaled = Math[method](number * unit);
  if (!Number.isFinite(scaled)) throw new JinjaError('OverflowError', 'cannot convert float infinity to integer');
  return new Float((scaled === 0 ? 0 : scaled) / unit);
}

function absolute(value: Value): Value {
  const whole: Whole | undefined = wholeOf(value);
  if (whole !== undefined) return whole < 0 ? integer(-BigInt(whole)) : whole;
  if (value instanceof Float) return new Float(Math.abs(value.value));
  throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
}

function fileSize(value: Value, binary: Value): string {
  const bytes = toFloat(value);
  const base = isTrue(binary) ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const letters = [...'KMGTPEZY'];
  const last = letters.length - 1;
  const step = letters.findIndex((_letter, index) => bytes < base ** (index + 2));
  const index = step < 0 ? last : step;
  const letter = base === 1000 && index === 0 ? 'k' : letters[index]!;
  return `${fixed((base * bytes) / base ** (index + 2), 1)} ${letter}${base === 1024 ? 'iB' : 'B'}`;
}

/** As transformers set it up: `json.dumps` without escapes for HTML. */
function tojson(value: Value, [ascii, indent, separators, sortKeys]: Value[], runtime: Runtime): Value {
  const step =
    textOfValue(indent!) ?? (indent === null ? null : ' '.repeat(Math.min(1000, Math.max(0, indexOf(indent!)))));
  let pair: Value[] = [step === null ? ', ' : ',', ': '];
  if (separators !== null) {
    const given = Array.isArray(separators) ? separators : separators instanceof Tuple ? separators.items : [];
    if (given.length !== 2) throw typeError('separators are a pair');
    pair = given;
  }
  const [itemSeparator, keySeparator] = pair.map((part) => {
    const text = textOfValue(part);
    if (text === undefined) throw typeError('separators are texts');
    return text;
  });
  return toJson(value, {
    ascii: isTrue(ascii!),
    invisible: runtime.invisible,
    indent: step,
    itemSeparator: itemSeparator!,
    keySeparator: keySeparator!,
    sortKeys: isTrue(sortKeys!),
    budget: runtime.budget,
  });
}

const defaulting = define(
  'default',
  [
    ['default_value', ''],
    ['boolean', false],
  ],
  (value, [otherwise, boolean]) =>
    value instanceof Undefined || (isTrue(boolean!) && !isTrue(value)) ? otherwise! : value,
);
const counting = define('length', [], (value, _args, runtime) => {
  runtime.budget.scan(textOfValue(value)?.length ?? 0);
  return length(value);
});

export const valueFilters: Record<string, Filter> = {
  abs: define('abs', [], absolute),
  attr: define('attr', ['name'], (value, [name], runtime) => {
    const text = textOfValue(name!);
    if (text === undefined) throw typeError('attribute name must be string');
    return runtime.access.onlyAttribute(value, text);
  }),
  count: counting,
  length: counting,
  d: defaulting,
  default: defaulting,
  filesizeformat: define('filesizeformat', [['binary', false]], (value, [binary]) => fileSize(value, binary!)),
  float: define('float', [['default', new Float(0)]], (value, [otherwise]) => {
    try {
      return new Float(toFloat(value));
    } catch (error) {
      if (caught(error, 'TypeError', 'ValueError')) return otherwise!;
      throw error;
    }
  }),
  int: define(
    'int',
    [
      ['default', 0],
      ['base', 10],
    ],
    (value, [otherwise, base]) => toInt(value, otherwise!, base!),
  ),
  round: define(
    'round',
    [
      ['precision', 0],
      ['method', 'common'],
    ],
    (value, [precision, method]) => rounded(value, precision!, method!),
  ),
  tojson: define(
    'tojson',
    [
      ['ensure_ascii', false],
      ['indent', null],
      ['separators', null],
      ['sort_keys', false],
    ],
    tojson,
  ),
};
