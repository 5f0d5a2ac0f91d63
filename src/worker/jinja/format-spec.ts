import { JinjaError, typeError, valueError } from './errors.ts';
import { fixed, numberOf, toNumber, type Whole, wholeOf } from './numbers.ts';
import { floatText, type Printer, str } from './print.ts';
import { lengthOf, unitIndex } from './unicode.ts';
import { Float, textOfValue, typeName, type Value } from './values.ts';

/** Widest field that a template may ask for. */
const maxWidth = 100_000;

/** `value` in a field of a width. */
export function pad(text: string, width: number, fill: string, align: '<' | '>' | '^'): string {
  if (width > maxWidth) throw new JinjaError('BudgetError', 'the template asks for a field that is too wide');
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  if (align === '<') return text + fill.repeat(missing);
  if (align === '>') return fill.repeat(missing) + text;
  const left = Math.floor(missing / 2);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

/** Digits in groups of three (or four) from the right. */
function grouped(digits: string, separator: string, size: number): string {
  if (separator === '') return digits;
  let result = '';
  for (let end = digits.length; end > 0; end -= size) {
    result = digits.slice(Math.max(0, end - size), end) + (result === '' ? '' : separator + result);
  }
  return result;
}

/** `1.500000e+05`, as C has it. */
export function scientific(value: number, precision: number): string {
  const [mantissa, power] = value.toExponential(Math.min(precision, 100)).split('e') as [string, string];
  const exponent = Math.abs(Number(power));
  return `${mantissa}e${power.startsWith('-') ? '-' : '+'}${String(exponent).padStart(2, '0')}`;
}

/** The shorter of both ways, as C's `%g` has it. */
export function general(value: number, precision: number, keepZeros = false): string {
  const digits = Math.max(1, Math.min(precision, 100));
  if (value === 0) return keepZeros && digits > 1 ? `0.${'0'.repeat(digits - 1)}` : '0';
  const exponent = Number(value.toExponential(digits - 1).split('e')[1]);
  const trim = (text: string) => (keepZeros || !text.includes('.') ? text : text.replace(/\.?0+$/u, ''));
  if (exponent < -4 || exponent >= digits) {
    const [mantissa, power] = scientific(value, digits - 1).split('e') as [string, string];
    return `${trim(mantissa)}e${power}`;
  }
  return trim(fixed(value, digits - 1 - exponent));
}

/** A float without its sign in one of the notations `e`, `f`, `g`, `%`. */
export function floatNotation(value: number, type: string, precision: number, alternate = false): string {
  if (precision > maxWidth) throw new JinjaError('BudgetError', 'the template asks for too many digits');
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : 'inf';
  switch (type.toLowerCase()) {
    case 'e':
      return scientific(value, precision);
    case 'f':
      return fixed(value, precision);
    case '%':
      return `${fixed(value * 100, precision)}%`;
    default:
      return general(value, precision, alternate);
  }
}

interface Spec {
  fill: string;
  align: '<' | '>' | '^' | '=' | '';
  sign: string;
  alternate: boolean;
  width: number;
  separator: string;
  precision: number | null;
  type: string;
}

const specPattern = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/su;

function parseSpec(text: string): Spec {
  const match = specPattern.exec(text);
  if (!match) throw valueError('Invalid format specifier');
  const [, fill, align, sign, , alternate, zero, width, separator, precision, type] = match;
  return {
    fill: fill ?? (zero ? '0' : ' '),
    align: (align ?? (zero ? '=' : '')) as Spec['align'],
    sign: sign ?? '-',
    alternate: alternate !== undefined,
    width: Number(width ?? 0),
    separator: separator ?? '',
    precision: precision === undefined ? null : Number(precision),
    type: type ?? '',
  };
}

/** Python's `format(value, spec)`. Throws `ValueError`, `TypeError`. */
export function formatValue(value: Value, spec: string, printer: Printer): string {
  const text = textOfValue(value);
  if (text !== undefined) return formatText(text, spec);
  if (typeof value === 'boolean' && spec === '') return str(value, printer);
  const whole = wholeOf(value);
  if (whole !== undefined || value instanceof Float) {
    return spec === '' ? str(value, printer) : formatNumber(whole ?? (value as Float), parseSpec(spec));
  }
  if (spec !== '') throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
  return str(value, printer);
}

function formatText(text: string, specText: string): string {
  if (specText === '') return text;
  const spec = parseSpec(specText);
  if ((spec.type !== '' && spec.type !== 's') || spec.sign !== '-' || spec.alternate || spec.separator !== '') {
    throw valueError(`Unknown format code '${spec.type}' for object of type 'str'`);
  }
  if (spec.align === '=' && !specText.startsWith('0') && /=/u.test(specText)) {
    throw valueError("'=' alignment not allowed in string format specifier");
  }
  const cut = spec.precision === null ? text : text.slice(0, unitIndex(text, spec.precision));
  return pad(cut, spec.width, spec.fill, spec.align === '' || spec.align === '=' ? '<' : spec.align);
}

const radixes: Record<string, [number, string]> = { b: [2, '0b'], o: [8, '0o'], x: [16, '0x'], X: [16, '0X'] };

function formatNumber(value: Whole | Float, spec: Spec): string {
  let prefix = '';
  let body: string;
  const isWhole = !(value instanceof Float);
  const number = isWhole ? value : value.value;
  const negative = number < 0 || Object.is(number, -0);
  if (spec.type === 's') throw valueError("Unknown format code 's' for a number");
  if (isWhole && (spec.type === '' || 'bcdnoxX'.includes(spec.type))) {
    if (spec.precision !== null) throw valueError('Precision not allowed in integer format specifier');
    if (spec.type === 'c') return pad(String.fromCodePoint(Number(value)), spec.width, spec.fill, '<');
    const [radix, mark] = radixes[spec.type] ?? [10, ''];
    const digits = (negative ? -BigInt(value) : BigInt(value)).toString(radix);
    body = grouped(spec.type === 'X' ? digits.toUpperCase() : digits, spec.separator, radix === 10 ? 3 : 4);
    if (spec.alternate) prefix = mark;
  } else {
    if (!isWhole && 'bcdoxX'.includes(spec.type) && spec.type !== '') {
      throw valueError(`Unknown format code '${spec.type}' for object of type 'float'`);
    }
    const absolute = Math.abs(isWhole ? toNumber(value) : value.value);
    let written: string;
    if (spec.type === '' && spec.precision === null) written = floatText(absolute);
    else if (spec.type === '') {
      written = general(absolute, spec.precision!);
      if (!/[.en]/u.test(written)) written += '.0';
    } else written = floatNotation(absolute, spec.type === 'n' ? 'g' : spec.type, spec.precision ?? 6, spec.alternate);
    if (/[EFG]/u.test(spec.type)) written = written.toUpperCase();
    const whole = /^\d*/u.exec(written)![0];
    body = grouped(whole, spec.separator, 3) + written.slice(whole.length);
  }
  const sign = negative && !(isWhole && value === 0) ? '-' : spec.sign === '-' ? '' : spec.sign;
  const align = spec.align === '' ? '>' : spec.align;
  if (align !== '=') return pad(sign + prefix + body, spec.width, spec.fill, align);
  const room = spec.width - sign.length - prefix.length;
  if (spec.fill === '0' && spec.separator !== '') {
    let digits = body;
    while (grouped(`0${digits.replaceAll(spec.separator, '')}`, spec.separator, 3).length <= room && room < 1000) {
      digits = grouped(`0${digits.replaceAll(spec.separator, '')}`, spec.separator, 3);
    }
    body = digits;
  }
  return sign + prefix + pad(body, room, spec.fill, '>');
}

/** The number for a notation of floats. Throws `TypeError`. */
export function floatFor(value: Value): number {
  const number = numberOf(value);
  if (number === undefined) throw typeError(`must be real number, not ${typeName(value)}`);
  return number;
}
