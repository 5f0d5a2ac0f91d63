import type { Budget } from './budget.ts';
import { JinjaError, typeError, valueError } from './errors.ts';
import { endOfText, startOfText } from './unicode.ts';
import { Float, integer, textOfValue, typeName, Undefined, type Value } from './values.ts';

/** Longest whole number in bits: beyond it a template only wants our time. */
const maxBits = 20_000;

export type Whole = number | bigint;

/** A whole number, also of a truth value; JavaScript's undefined for anything else. */
export function wholeOf(value: Value): Whole | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

/** Any number as JavaScript's; undefined for anything else. */
export function numberOf(value: Value): number | undefined {
  if (value instanceof Float) return value.value;
  const whole = wholeOf(value);
  return whole === undefined ? undefined : toNumber(whole);
}

/** A whole number as a float. Throws `OverflowError`. */
export function toNumber(whole: Whole): number {
  const value = Number(whole);
  if (!Number.isFinite(value)) throw new JinjaError('OverflowError', 'int too large to convert to float');
  return value;
}

/** A whole number that says where or how many. Throws `TypeError` for anything else. */
export function indexOf(value: Value): number {
  const whole = wholeOf(value);
  if (whole === undefined) throw typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  return Number(whole);
}

const zeroDivision = (message = 'division by zero') => new JinjaError('ZeroDivisionError', message);
const floorMod = (a: number, b: number) => {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
};

/** Arithmetic of two numbers as Python has it; undefined where one of them is none. */
export function arithmetic(operator: string, a: Value, b: Value, budget: Budget): Value | undefined {
  const left = wholeOf(a);
  const right = wholeOf(b);
  if (left !== undefined && right !== undefined) return wholeArithmetic(operator, left, right, budget);
  const x = numberOf(a);
  const y = numberOf(b);
  return x === undefined || y === undefined ? undefined : new Float(floatArithmetic(operator, x, y));
}

function wholeArithmetic(operator: string, a: Whole, b: Whole, budget: Budget): Value {
  if (operator === '/') {
    if (Number(b) === 0) throw zeroDivision();
    return new Float(toNumber(a) / toNumber(b));
  }
  if (operator === '**') return power(a, b, budget);
  if (typeof a === 'number' && typeof b === 'number') {
    const result = smallArithmetic(operator, a, b);
    if (Number.isSafeInteger(result)) return result === 0 ? 0 : result;
  }
  return bigArithmetic(operator, BigInt(a), BigInt(b), budget);
}

function smallArithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '//':
      if (b === 0) throw zeroDivision('integer division or modulo by zero');
      return (a - floorMod(a, b)) / b;
    default:
      if (b === 0) throw zeroDivision('integer division or modulo by zero');
      return floorMod(a, b);
  }
}

const bits = (value: bigint) => value.toString(16).length * 4;
const tooBig = () => new JinjaError('BudgetError', 'the template makes a number that is too long');

function bigArithmetic(operator: string, a: bigint, b: bigint, budget: Budget): Value {
  budget.spend(100);
  if (bits(a) + bits(b) > maxBits) throw tooBig();
  switch (operator) {
    case '+':
      return integer(a + b);
    case '-':
      return integer(a - b);
    case '*':
      return integer(a * b);
    default: {
      if (b === 0n) throw zeroDivision('integer division or modulo by zero');
      const rest = a % b;
      const modulo = rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
      return integer(operator === '%' ? modulo : (a - modulo) / b);
    }
  }
}

function power(base: Whole, exponent: Whole, budget: Budget): Value {
  if (exponent < 0) {
    if (Number(base) === 0) throw zeroDivision('0.0 cannot be raised to a negative power');
    return new Float(toNumber(base) ** toNumber(exponent));
  }
  budget.spend(100);
  const wide = BigInt(base);
  const small = wide === 0n || wide === 1n || wide === -1n;
  if (!small && bits(wide) * Number(exponent) > maxBits * 4) throw tooBig();
  return integer(
    small
      ? wide === -1n && BigInt(exponent) % 2n === 0n
        ? 1n
        : Number(exponent) === 0
          ? 1n
          : wide
      : wide ** BigInt(exponent),
  );
}

function floatArithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '**': {
      if (a === 0 && b < 0) throw zeroDivision('0.0 cannot be raised to a negative power');
      const result = a ** b;
      if (Number.isNaN(result) && !Number.isNaN(a) && !Number.isNaN(b)) throw typeError('a complex number');
      if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b)) {
        throw new JinjaError('OverflowError', 'Numerical result out of range');
      }
      return result;
    }
  }
  if (b === 0) throw zeroDivision(operator === '/' ? 'float division by zero' : 'float floor division by zero');
  if (operator === '/') return a / b;
  const rest = Number.isFinite(b) || !Number.isFinite(a) ? floorMod(a, b) : a < 0 !== b < 0 && a !== 0 ? b : a;
  if (operator === '%') return rest === 0 ? (b < 0 ? -0 : 0) : rest;
  const quotient = (a - rest) / b;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** A number with as many digits behind the point, halves to the even digit. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`;
  const wanted = Math.min(digits, 100);
  let text = value.toFixed(wanted);
  // The digits of a float end: all of them show whether it lies in the middle.
  const exact = Math.abs(value).toFixed(Math.min(100, wanted + 60));
  const behind = exact.slice(exact.indexOf('.') + 1 + wanted);
  if (/^50*$/u.test(behind)) {
    const cut = exact.slice(0, exact.indexOf('.') + 1 + wanted).replace(/\.$/u, '');
    if (Number(cut.at(-1)) % 2 === 0) text = `${value < 0 ? '-' : ''}${cut}`;
  }
  if (Object.is(value, -0) && !text.startsWith('-')) text = `-${text}`;
  return digits > wanted ? text + '0'.repeat(digits - wanted) : text;
}

/** Python's `round(value, digits)`. */
export function round(value: Value, digits: number): Value {
  const whole = wholeOf(value);
  if (whole !== undefined) {
    if (digits >= 0) return whole;
    if (digits < -400) return 0;
    const unit = 10n ** BigInt(-digits);
    const wide = BigInt(whole);
    const rest = ((wide % unit) + unit) % unit;
    const low = wide - rest;
    const up = rest * 2n > unit || (rest * 2n === unit && (low / unit) % 2n !== 0n);
    return integer(up ? low + unit : low);
  }
  if (!(value instanceof Float)) {
    if (value instanceof Undefined) throw typeError("type Undefined doesn't define __round__ method");
    throw typeError(`type ${typeName(value)} doesn't define __round__ method`);
  }
  if (!Number.isFinite(value.value) || digits > 300) return value;
  if (digits >= 0) return new Float(Number(fixed(value.value, digits)));
  if (digits < -310) return new Float(0);
  const unit = 10 ** -digits;
  return new Float(Number(fixed(value.value / unit, 0)) * unit);
}

/** Python's `int(text, base)`. Throws `ValueError`. */
export function parseWhole(text: string, base = 10): Whole {
  const trimmed = text.slice(startOfText(text), endOfText(text));
  const fail = () => valueError(`invalid literal for int() with base ${base}`);
  if (base !== 0 && (base < 2 || base > 36)) throw valueError('int() base must be >= 2 and <= 36, or 0');
  const match = /^([+-]?)(0[bB]_?|0[oO]_?|0[xX]_?)?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/u.exec(asciiDigits(trimmed));
  if (!match || trimmed.length > 4300) throw fail();
  const prefix = (match[2] ?? '').toLowerCase().replace('_', '');
  const prefixed = prefix === '0b' ? 2 : prefix === '0o' ? 8 : prefix === '0x' ? 16 : null;
  let digits = match[3]!.replaceAll('_', '');
  let radix = base;
  if (prefixed !== null && (base === 0 || base === prefixed)) radix = prefixed;
  else {
    if (prefixed !== null) digits = prefix + digits;
    if (base === 0) {
      if (/^0+[1-9]/u.test(digits)) throw fail();
      radix = 10;
    }
  }
  let result = 0n;
  for (const digit of digits.toLowerCase()) {
    const value = Number.parseInt(digit, 36);
    if (!(value < radix)) throw fail();
    result = result * BigInt(radix) + BigInt(value);
  }
  return integer(match[1] === '-' ? -result : result);
}

/** Decimal digits of other scripts as ASCII. */
function asciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    let zero = digit.codePointAt(0)!;
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1)) && digit.codePointAt(0)! - zero < 9) zero--;
    return String(digit.codePointAt(0)! - zero);
  });
}

/** Python's `float(text)`. Throws `ValueError`. */
export function parseFloatText(text: string): number {
  const trimmed = asciiDigits(text.slice(startOfText(text), endOfText(text)));
  const named = /^([+-]?)(inf|infinity|nan)$/iu.exec(trimmed);
  if (named) {
    const value = named[2]!.toLowerCase() === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return named[1] === '-' ? -value : value;
  }
  if (!/^[+-]?(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:[eE][+-]?\d+(?:_\d+)*)?$/u.test(trimmed)) {
    throw valueError('could not convert string to float');
  }
  return Number(trimmed.replaceAll('_', ''));
}

/** Python's `int(value)`. Throws `TypeError`, `ValueError`, `OverflowError`. */
export function toWhole(value: Value): Whole {
  if (value instanceof Undefined) throw value.error();
  const whole = wholeOf(value);
  if (whole !== undefined) return whole;
  if (value instanceof Float) {
    if (Number.isNaN(value.value)) throw valueError('cannot convert float NaN to integer');
    if (!Number.isFinite(value.value))
      throw new JinjaError('OverflowError', 'cannot convert float infinity to integer');
    return integer(BigInt(Math.trunc(value.value)));
  }
  const text = textOfValue(value);
  if (text === undefined) throw typeError(`int() argument must be a string or a number, not '${typeName(value)}'`);
  return parseWhole(text);
}

/** Python's `float(value)`. Throws `TypeError`, `ValueError`. */
export function toFloat(value: Value): number {
  if (value instanceof Undefined) throw value.error();
  const number = numberOf(value);
  if (number !== undefined) return number;
  const text = textOfValue(value);
  if (text === undefined) throw typeError(`float() argument must be a string or a number, not '${typeName(value)}'`);
  return parseFloatText(text);
}
