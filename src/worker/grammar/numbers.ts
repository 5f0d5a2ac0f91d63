import type { Atom, RuleBook } from './gbnf/gbnf.ts';

/** One end of a range of numbers. */
interface Bound {
  value: number;
  exclusive: boolean;
}

export interface NumberRange {
  low: Bound | null;
  high: Bound | null;
}

/** An end of a range as decimal digits without sign. */
interface Edge {
  whole: string;
  fraction: string;
  exclusive: boolean;
}

interface Magnitudes {
  low: Edge | null;
  high: Edge | null;
  /** Digits after the point at most; 0 for integers. */
  fractionDigits: number;
}

const mostWholeDigits = 16;
/** Beyond 16 digits no bound can be reached by what is generated. */
const reachable = 1e16;

/**
 * A rule for the JSON numbers of a range, exact by construction: one branch for each digit in which a number can leave
 * a bound. Numbers in a range are written without exponent, with at most 16 digits before the point and 15 after it.
 * Returns null for an empty range, or one that lies beyond 16 digits.
 */
export function numberInRange(rules: RuleBook, hint: string, range: NumberRange, wholeOnly: boolean): Atom | null {
  const low = reach(wholeOnly ? wholeBound(range.low, 'low') : range.low, -1);
  const high = reach(wholeOnly ? wholeBound(range.high, 'high') : range.high, 1);
  if (low === 'beyond' || high === 'beyond') return null;
  const fractionDigits = wholeOnly ? 0 : fractionLimit([low, high]);
  const zero: Edge = { whole: '0', fraction: '', exclusive: true };

  const positive = { low: low !== null && low.value >= 0 ? edge(low) : null, high: high && edge(high), fractionDigits };
  const negative = { low: high !== null && high.value < 0 ? edge(high) : zero, high: low && edge(low), fractionDigits };
  const isZeroFloor = positive.low?.whole === '0' && positive.low.fraction === '' && !positive.low.exclusive;
  const alternatives = [
    ...(high === null || high.value >= 0 ? magnitudes(isZeroFloor ? { ...positive, low: null } : positive) : []),
    ...(low === null || low.value < 0 ? magnitudes(negative).map((text) => `"-" ${text}`) : []),
  ];
  return alternatives.length === 0 ? null : rules.add(hint, alternatives.join(' | '));
}

/** The nearest whole number inside the bound, which is then inclusive. */
function wholeBound(bound: Bound | null, side: 'low' | 'high'): Bound | null {
  if (bound === null || Math.abs(bound.value) >= reachable) return bound;
  const inside = side === 'low' ? Math.ceil(bound.value) : Math.floor(bound.value);
  const onBound = bound.exclusive && inside === bound.value;
  const value = onBound ? inside + (side === 'low' ? 1 : -1) : inside;
  // No -0: its sign would be written.
  return { value: value === 0 ? 0 : value, exclusive: false };
}

/** Drops a bound that nothing can cross; `beyond` when nothing can satisfy it. `side`: -1 for low, 1 for high. */
function reach(bound: Bound | null, side: -1 | 1): Bound | null | 'beyond' {
  if (bound === null) return null;
  if (bound.value * side >= reachable) return null;
  if (bound.value * side <= -reachable) return 'beyond';
  // Above 2^53 a number next to an exclusive bound can be read as the bound itself.
  return bound.exclusive && Math.abs(bound.value) > Number.MAX_SAFE_INTEGER ? 'beyond' : bound;
}

/**
 * Inclusive bounds hold after rounding to a double, as rounding keeps the order. Next to an exclusive one, two numbers
 * stay different only with 15 digits in all.
 */
function fractionLimit(bounds: readonly (Bound | null)[]): number {
  const exclusive = bounds.filter((bound) => bound?.exclusive === true).map((bound) => edge(bound!).whole.length);
  return Math.max(0, 15 - Math.max(0, ...exclusive));
}

function edge(bound: Bound): Edge {
  const [mantissa = '', exponent = '0'] = String(Math.abs(bound.value)).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole}${fraction}`;
  const point = whole.length + Number(exponent);
  const padded = point <= 0 ? `${'0'.repeat(1 - point)}${digits}` : digits.padEnd(point, '0');
  const cut = Math.max(1, point);
  return { whole: padded.slice(0, cut), fraction: padded.slice(cut), exclusive: bound.exclusive };
}

/** Alternatives for all numbers from `low` to `high`, by their count of whole digits. */
function magnitudes(range: Magnitudes): string[] {
  const { low, high } = range;
  const least = low?.whole.length ?? 1;
  const most = high?.whole.length ?? mostWholeDigits;
  const alternatives: string[] = [];
  const free: number[] = [];
  for (let digits = least; digits <= most; digits++) {
    const tightLow = low !== null && low.whole.length === digits;
    const tightHigh = high !== null && high.whole.length === digits;
    if (!tightLow && !tightHigh) free.push(digits);
    else alternatives.push(...optional(wholePart(range, digits, 0, tightLow, tightHigh)));
  }
  return [...alternatives, ...optional(freeLengths(free, range.fractionDigits))];
}

/** Numbers of these counts of digits, which lie between the bounds whatever the digits are. */
function freeLengths(lengths: readonly number[], fractionDigits: number): string | null {
  const first = lengths[0];
  const last = lengths.at(-1);
  if (first === undefined || last === undefined) return null;
  const fraction = fractionDigits === 0 ? '' : ` ("." [0-9]{1,${fractionDigits}})?`;
  if (first > 1) return `[1-9] [0-9]{${first - 1},${last - 1}}${fraction}`;
  return last === 1 ? `[0-9]${fraction}` : `("0" | [1-9] [0-9]{0,${last - 1}})${fraction}`;
}

/** The digits from `at` on; tight means: all digits so far equal the bound's. Null when no number fits. */
function wholePart(
  range: Magnitudes,
  digits: number,
  at: number,
  tightLow: boolean,
  tightHigh: boolean,
): string | null {
  if (at === digits) {
    return fractionPart(range, tightLow ? range.low!.fraction : null, tightHigh ? range.high!.fraction : null);
  }
  const floor = at === 0 && digits > 1 ? 1 : 0;
  return branches({
    first: tightLow ? Number(range.low!.whole[at]) : floor,
    last: tightHigh ? Number(range.high!.whole[at]) : 9,
    tightLow,
    tightHigh,
    next: (low, high) => wholePart(range, digits, at + 1, low, high),
    free: () => joined(digitsText(digits - at - 1, digits - at - 1), fractionPart(range, null, null) ?? ''),
  });
}

/** The point and what follows. `low`, `high`: the bound's remaining digits while all before are equal, else null. */
function fractionPart(range: Magnitudes, low: string | null, high: string | null): string | null {
  const more = moreDigits(range, low, high, range.fractionDigits);
  const point = more === null ? null : `"." ${more}`;
  return endOr(mayEnd(range, low, high), point);
}

/** One or more digits after the point; `left`: how many may still be written. */
function moreDigits(range: Magnitudes, low: string | null, high: string | null, left: number): string | null {
  if (left === 0) return null;
  // A lower bound whose digits are used up is met by any further digit.
  const tightLow = low !== null && (low !== '' || range.low!.exclusive);
  if (!tightLow && high === null) return digitsText(1, left);
  if (!tightLow && high === '') return range.high!.exclusive ? null : `"0"{1,${left}}`;
  return branches({
    first: tightLow ? Number(low[0] ?? 0) : 0,
    last: high !== null ? Number(high[0] ?? 0) : 9,
    tightLow,
    tightHigh: high !== null,
    next: (isLow, isHigh) => {
      const lowRest = isLow ? low!.slice(1) : null;
      const highRest = isHigh ? high!.slice(1) : null;
      return endOr(mayEnd(range, lowRest, highRest), moreDigits(range, lowRest, highRest, left - 1));
    },
    free: () => digitsText(0, left - 1),
  });
}

/** Whether the number may stop here, all further digits being zero. */
function mayEnd(range: Magnitudes, low: string | null, high: string | null): boolean {
  const lowMet = low === null || (/^0*$/.test(low) && !range.low!.exclusive);
  const highMet = high === null || !(/^0*$/.test(high) && range.high!.exclusive);
  return lowMet && highMet;
}

interface Branching {
  first: number;
  last: number;
  tightLow: boolean;
  tightHigh: boolean;
  /** What follows a digit that equals the lower or the upper bound's. */
  next(tightLow: boolean, tightHigh: boolean): string | null;
  /** What follows a digit between the bounds'. */
  free(): string;
}

function branches({ first, last, tightLow, tightHigh, next, free }: Branching): string | null {
  if (first > last) return null;
  const on = (digit: number, low: boolean, high: boolean): string[] =>
    optional(next(low, high)).map((rest) => joined(`"${digit}"`, rest));
  if (first === last) return choice(on(first, tightLow, tightHigh));
  const from = tightLow ? first + 1 : first;
  const to = tightHigh ? last - 1 : last;
  const between = from > to ? [] : [joined(from === to ? `"${from}"` : `[${from}-${to}]`, free())];
  return choice([...(tightLow ? on(first, true, false) : []), ...between, ...(tightHigh ? on(last, false, true) : [])]);
}

function endOr(end: boolean, more: string | null): string | null {
  if (more === null) return end ? '' : null;
  return end ? `(${more})?` : more;
}

function digitsText(min: number, max: number): string {
  return max === 0 ? '' : min === max ? `[0-9]{${min}}` : `[0-9]{${min},${max}}`;
}

function choice(alternatives: readonly string[]): string | null {
  if (alternatives.length <= 1) return alternatives[0] ?? null;
  return `(${alternatives.join(' | ')})`;
}

function joined(...parts: string[]): string {
  return parts.filter((part) => part !== '').join(' ');
}

function optional(text: string | null): string[] {
  return text === null ? [] : [text];
}
