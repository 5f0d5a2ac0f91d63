import { typeError, valueError } from './errors.ts';
import { floatFor, floatNotation, pad } from './format-spec.ts';
import { escapeHtml } from './html.ts';
import { toWhole, type Whole, wholeOf } from './numbers.ts';
import { repr, str } from './print.ts';
import { lengthOf, unitIndex } from './unicode.ts';
import {
  Dict,
  Float,
  Markup,
  Range,
  type Runtime,
  Tuple,
  textOfValue,
  typeName,
  Undefined,
  type Value,
} from './values.ts';

const conversion = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu;

interface Field {
  flags: string;
  width: number;
  precision: number | null;
  type: string;
}

/** Python's `text % values`. Throws `TypeError`, `ValueError`. */
export function formatPercent(text: string, values: Value, runtime: Runtime, isHtml: boolean): string {
  const items = values instanceof Tuple ? values.items : [values];
  const named = values instanceof Dict ? values : null;
  let used = 0;
  const next = (): Value => {
    if (used >= items.length) throw typeError('not enough arguments for format string');
    return items[used++]!;
  };
  const number = (digits: string | undefined): number => {
    if (digits !== '*') return Number(digits ?? 0);
    const whole = wholeOf(next());
    if (whole === undefined) throw typeError('* wants int');
    return Number(whole);
  };
  const result = text.replace(conversion, (whole, key, flags, width, precision, type) => {
    if (type === undefined) throw valueError('incomplete format');
    const hasPrecision = precision !== undefined || /\.[hlL]?.$/su.test(whole);
    if (type === '%' && key === undefined) return '%';
    if (key !== undefined && values instanceof Undefined) throw values.error();
    if (key !== undefined && !named) throw typeError('format requires a mapping');
    const field: Field = { flags, width: number(width), precision: hasPrecision ? number(precision) : null, type };
    if (field.width < 0) field.flags += '-';
    field.width = Math.abs(field.width);
    if (type === '%') return '%';
    let value: Value;
    if (key !== undefined) {
      const found = named!.get(key);
      if (found === undefined) throw typeError(`no ${key}`);
      value = found;
    } else value = next();
    return formatField(value, field, runtime, isHtml);
  });
  // What can be asked for parts may be left unused.
  const isMapping = named || Array.isArray(values) || values instanceof Undefined || values instanceof Range;
  if (used < items.length && !isMapping) {
    throw typeError('not all arguments converted during string formatting');
  }
  runtime.budget.scan(result.length);
  return result;
}

function formatField(value: Value, field: Field, runtime: Runtime, isHtml: boolean): string {
  const align = field.flags.includes('-') ? '<' : '>';
  switch (field.type) {
    case 's':
    case 'r':
    case 'a': {
      const plain = field.type === 's' ? str(value, runtime) : repr(value, runtime);
      const text = isHtml && !(value instanceof Markup) ? escapeHtml(plain) : plain;
      return pad(
        field.precision === null ? text : text.slice(0, unitIndex(text, field.precision)),
        field.width,
        ' ',
        align,
      );
    }
    case 'c': {
      const text = textOfValue(value);
      const whole = wholeOf(value);
      if (text !== undefined ? lengthOf(text) !== 1 : whole === undefined) throw typeError('%c requires int or char');
      return pad(text ?? String.fromCodePoint(Number(whole)), field.width, ' ', align);
    }
    case 'd':
    case 'i':
    case 'u':
      if (wholeOf(value) === undefined && !(value instanceof Float)) {
        throw typeError(`%${field.type} format: a real number is required, not ${typeName(value)}`);
      }
      return signed(wholeDigits(toWhole(value), 10, field), '', field);
    case 'o':
    case 'x':
    case 'X': {
      const whole = wholeOf(value);
      if (whole === undefined) throw typeError(`%${field.type} format: an integer is required, not ${typeName(value)}`);
      const prefix = field.flags.includes('#') ? `0${field.type}` : '';
      return signed(wholeDigits(whole, field.type === 'o' ? 8 : 16, field), prefix, field);
    }
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G': {
      const number = floatFor(value);
      const text = floatNotation(Math.abs(number), field.type, field.precision ?? 6, field.flags.includes('#'));
      const sign = number < 0 || Object.is(number, -0) ? '-' : '';
      return signed(sign + (/[EFG]/u.test(field.type) ? text.toUpperCase() : text), '', field);
    }
    default:
      throw valueError(`unsupported format character '${field.type}'`);
  }
}

function wholeDigits(value: Whole, radix: number, field: Field): string {
  const negative = value < 0;
  let digits = (negative ? -BigInt(value) : BigInt(value)).toString(radix);
  if (field.type === 'X') digits = digits.toUpperCase();
  return (negative ? '-' : '') + pad(digits, field.precision ?? 0, '0', '>');
}

/** A number with its sign in its field. */
function signed(number: string, prefix: string, { flags, width }: Field): string {
  const negative = number.startsWith('-');
  const digits = negative ? number.slice(1) : number;
  const sign = negative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  if (flags.includes('-')) return pad(sign + prefix + digits, width, ' ', '<');
  if (flags.includes('0')) return sign + prefix + pad(digits, width - sign.length - prefix.length, '0', '>');
  return pad(sign + prefix + digits, width, ' ', '>');
}
