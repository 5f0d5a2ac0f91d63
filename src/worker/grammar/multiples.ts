import { TooLargeError } from './automaton/automaton.ts';
import type { Atom, RuleBook } from './gbnf/gbnf.ts';
import { literal } from './gbnf/gbnf.ts';
import type { NumberRange } from './numbers.ts';

/** Larger factors, in their last decimal, have too many remainders to tell apart. */
const mostRemainders = 1_000;
/** Multiples that are written out one by one. */
const mostListed = 200;
/** Digits in all; more would not survive as a double. */
const mostDigits = 15;
const mostRules = 3_000;

/** A number as a whole count of its last decimal place: 0.25 is 25 of 2 places. */
interface Decimal {
  count: bigint;
  places: number;
}

/** Whether a number is a multiple of another, as their shortest decimal forms have it: 0.3 is one of 0.1. */
export function isMultiple(value: number, factor: number): boolean {
  if (factor === 0 || !Number.isFinite(value)) return false;
  const [a, b] = [decimal(value), decimal(factor)];
  const places = Math.max(a.places, b.places);
  return scaled(a, places) % scaled(b, places) === 0n;
}

/** The least number that is a multiple of all of them. */
export function commonMultiple(factors: readonly number[]): number {
  return factors.reduce((sum, factor) => {
    const [a, b] = [decimal(sum), decimal(factor)];
    const places = Math.max(a.places, b.places);
    const [left, right] = [scaled(a, places), scaled(b, places)];
    return Number(`${(left * right) / divisor(left, right)}e-${places}`);
  });
}

/**
 * A rule for the multiples of `factor` in a range; `none` without any, `large` where there are too many remainders to
 * tell apart. Numbers have no exponent, and no more decimals than the factor.
 */
export function multiplesInRange(
  rules: RuleBook,
  hint: string,
  factor: number,
  { low, high }: NumberRange,
  wholeOnly: boolean,
): Atom | 'none' | 'large' {
  const { places, count: unit } = decimal(wholeOnly ? commonMultiple([factor, 1]) : factor);
  if (places > 12) return 'large';
  const bound = (value: number, exclusive: boolean, side: 1n | -1n): bigint => {
    const own = decimal(value);
    const shared = Math.max(own.places, places);
    const exact = scaled(own, shared);
    const step = unit * 10n ** BigInt(shared - places);
    // The nearest multiple inside the bound, counted in factors.
    const quotient = exact / step;
    const rounded =
      quotient * step === exact ? quotient : side === 1n ? ceiling(exact, step) : ceiling(exact, step) - 1n;
    return exclusive && rounded * step === exact ? rounded + side : rounded;
  };
  const from = low === null ? null : bound(low.value, low.exclusive, 1n);
  const to = high === null ? null : bound(high.value, high.exclusive, -1n);
  if (from !== null && to !== null) {
    if (to < from) return 'none';
    if (to - from < mostListed) {
      const texts = Array.from({ length: Number(to - from) + 1 }, (_, index) =>
        literal(textOf((from + BigInt(index)) * unit, places)),
      );
      return rules.add(hint, texts.join(' | '));
    }
  }
  // Zeros at the end of a whole factor are those of its multiples too.
  const zeros = places === 0 ? (/0*$/.exec(String(unit))?.[0].length ?? 0) : 0;
  const short = unit / 10n ** BigInt(zeros);
  if (short > BigInt(mostRemainders)) return 'large';
  const least = from === null ? null : from * short;
  const most = to === null ? null : to * short;
  try {
    return written();
  } catch (error) {
    if (error instanceof TooLargeError) return 'large';
    throw error;
  }

  function written(): Atom | 'none' {
    const book = createDigits(rules, hint, Number(short), { places, zeros });
    const holdsZero = (least === null || least <= 0n) && (most === null || most >= 0n);
    const positive = most === null || most > 0n ? book.between(least !== null && least > 1n ? least : 1n, most) : [];
    const negative =
      least === null || least < 0n
        ? book.between(most !== null && most < 0n ? -most : 1n, least === null ? null : -least)
        : [];
    const all = [...(holdsZero ? ['"0"'] : []), ...positive, ...negative.map((text) => `"-" ${text}`)];
    return all.length === 0 ? 'none' : rules.add(hint, all.join(' | '));
  }
}

/** Rules over digits from left to right; each knows the remainder so far and which bounds the digits still run along. */
function createDigits(
  rules: RuleBook,
  hint: string,
  modulus: number,
  { places, zeros }: { places: number; zeros: number },
) {
  const end = zeros === 0 ? '' : `"${'0'.repeat(zeros)}"`;
  const names = new Map<string, Atom | null>();
  const powers = Array.from({ length: mostDigits + 1 }, (_, power) => Number(10n ** BigInt(power) % BigInt(modulus)));
  let made = 0;

  /** Digits at `at` and after it of numbers with `whole` digits before the point. Null: none fits. */
  function rest(
    at: number,
    whole: number,
    remainder: number,
    low: string | null,
    high: string | null,
  ): Atom | '' | null {
    const total = whole + places;
    if (at === total) return remainder === 0 ? '' : null;
    const left = total - at;
    const key = `${left} ${at < whole ? whole - at : 0} ${remainder} ${low?.slice(at) ?? '-'} ${high?.slice(at) ?? '-'} ${at === 0 && whole > 1 ? 'first' : ''}`;
    const known = names.get(key);
    if (known !== undefined) return known;
    if (++made > mostRules) throw new TooLargeError();
    const ways = new Map<string, number[]>();
    const first = at === 0 && whole > 1 ? 1 : 0;
    for (let digit = first; digit <= 9; digit++) {
      const [least, most] = [low === null ? 0 : Number(low[at]), high === null ? 9 : Number(high[at])];
      if (digit < least || digit > most) continue;
      const next = rest(
        at + 1,
        whole,
        (remainder + digit * powers[left - 1]!) % modulus,
        low !== null && digit === least ? low : null,
        high !== null && digit === most ? high : null,
      );
      if (next === null) continue;
      ways.set(next, [...(ways.get(next) ?? []), digit]);
    }
    const texts = [...ways].map(([next, digits]) => `[${digits.join('')}]${next === '' ? '' : ` ${next}`}`);
    // Where only zeros are left to write behind the point, they need not be written.
    const body = texts.join(' | ');
    const own = texts.length === 0 ? null : rules.add(`${hint}-digits`, body);
    const mayStop = at >= whole && remainder === 0 && low === null && high === null;
    const pointed = mayStop ? `("." ${own})?` : `"." ${own}`;
    const found = own === null || at !== whole ? own : rules.add(`${hint}-point`, pointed);
    names.set(key, found);
    return found;
  }

  return {
    /** Alternatives for all counts from `least` to `most`, null for as many digits as are written. */
    between(least: bigint, most: bigint | null): string[] {
      const alternatives: string[] = [];
      const lengthOf = (count: bigint) => Math.max(1, String(count).length - places);
      const mostWhole = mostDigits - places - zeros;
      const last = most === null ? mostWhole : Math.min(mostWhole, lengthOf(most));
      for (let whole = lengthOf(least); whole <= last; whole++) {
        const padded = (count: bigint) => String(count).padStart(whole + places, '0');
        const low = whole === lengthOf(least) ? padded(least) : null;
        const high = most !== null && whole === lengthOf(most) ? padded(most) : null;
        const found = rest(0, whole, 0, low, high);
        if (found !== null && found !== '') alternatives.push(`${found} ${end}`.trimEnd());
      }
      return alternatives;
    },
  };
}

function decimal(value: number): Decimal {
  const [mantissa = '', exponent = '0'] = String(value).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const places = fraction.length - Number(exponent);
  const count = BigInt(`${whole}${fraction}`);
  return places < 0 ? { count: count * 10n ** BigInt(-places), places: 0 } : { count, places };
}

function scaled({ count, places }: Decimal, to: number): bigint {
  return count * 10n ** BigInt(to - places);
}

function divisor(a: bigint, b: bigint): bigint {
  let [left, right] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (right !== 0n) [left, right] = [right, left % right];
  return left;
}

/** The least whole number that is not below `a / b`. */
function ceiling(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return quotient * b < a ? quotient + 1n : quotient;
}

function textOf(count: bigint, places: number): string {
  const digits = String(count < 0n ? -count : count).padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const fraction = places === 0 ? '' : digits.slice(-places).replace(/0+$/, '');
  return `${count < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
