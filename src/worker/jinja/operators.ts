import { typeError } from './errors.ts';
import { formatPercent } from './format-percent.ts';
import { escapeHtml } from './html.ts';
import type { BinaryOperator } from './nodes.ts';
import { arithmetic, wholeOf } from './numbers.ts';
import { str } from './print.ts';
import { Float, integer, Markup, type Runtime, Tuple, textOfValue, typeName, Undefined, type Value } from './values.ts';

/** `a + b` and its like, as Python has them. */
export function binary(operator: BinaryOperator, a: Value, b: Value, runtime: Runtime): Value {
  if (operator === '+') {
    if (typeof a === 'string' && typeof b === 'string') return joined(a, b, runtime);
    if (typeof a === 'number' && typeof b === 'number') {
      const sum = a + b;
      if (Number.isSafeInteger(sum)) return sum;
    }
  }
  if (operator === '%') {
    const text = textOfValue(a);
    if (text !== undefined) {
      const isMarkup = a instanceof Markup;
      const formatted = formatPercent(text, b, runtime, isMarkup);
      return isMarkup ? new Markup(formatted) : formatted;
    }
  }
  if (a instanceof Undefined) throw a.error();
  if (b instanceof Undefined) throw b.error();
  const result =
    arithmetic(operator, a, b, runtime.budget) ??
    (operator === '+'
      ? concatenated(a, b, runtime)
      : operator === '*'
        ? (repeated(a, b, runtime) ?? repeated(b, a, runtime))
        : undefined);
  if (result !== undefined) return result;
  throw typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function joined(a: string, b: string, { budget }: Runtime): string {
  budget.text(a.length + b.length);
  return a + b;
}

function concatenated(a: Value, b: Value, runtime: Runtime): Value | undefined {
  const { budget } = runtime;
  const left = textOfValue(a);
  const right = textOfValue(b);
  if (left !== undefined && right !== undefined) {
    const markup = (value: Value, text: string) => (value instanceof Markup ? text : escapeHtml(text));
    return new Markup(joined(markup(a, left), markup(b, right), runtime));
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    budget.items(a.length + b.length);
    return [...a, ...b];
  }
  if (a instanceof Tuple && b instanceof Tuple) {
    budget.items(a.items.length + b.items.length);
    return new Tuple([...a.items, ...b.items]);
  }
  return undefined;
}

function repeated(of: Value, times: Value, { budget }: Runtime): Value | undefined {
  const whole = wholeOf(times);
  if (whole === undefined) return undefined;
  const count = Math.max(0, Number(whole));
  const text = textOfValue(of);
  if (text !== undefined) {
    budget.text(text.length * count);
    const result = text.repeat(count);
    return of instanceof Markup ? new Markup(result) : result;
  }
  const items = Array.isArray(of) ? of : of instanceof Tuple ? of.items : null;
  if (!items) return undefined;
  budget.items(items.length * count);
  const result = Array.from({ length: count }, () => items).flat() as Value[];
  return Array.isArray(of) ? result : new Tuple(result);
}

/** `-a` and `+a`. */
export function unary(operator: '+' | '-', value: Value): Value {
  if (value instanceof Undefined) throw value.error();
  const whole = wholeOf(value);
  if (whole !== undefined) return operator === '+' ? whole : whole === 0 ? 0 : integer(-BigInt(whole));
  if (value instanceof Float) return operator === '+' ? value : new Float(-value.value);
  throw typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
}

/** `a ~ b ~ c`. */
export function concat(values: readonly Value[], runtime: Runtime): Value {
  if (runtime.autoescape && values.some((value) => value instanceof Markup)) {
    return new Markup(
      values.map((value) => (value instanceof Markup ? value.text : escapeHtml(str(value, runtime)))).join(''),
    );
  }
  let result = '';
  for (const value of values) result += str(value, runtime);
  runtime.budget.text(result.length);
  return result;
}
