/** Code points as ranges, both ends included, ascending, apart from each other. */
export type CharSet = readonly (readonly [first: number, last: number])[];

const lastCodePoint = 0x10ffff;

/** Any ranges as a proper set. Surrogates are left out: they are no characters. */
export function charSet(ranges: CharSet): CharSet {
  const sorted = ranges
    .flatMap(([first, last]): CharSet => {
      const below: CharSet = first < 0xd800 ? [[first, Math.min(last, 0xd7ff)]] : [];
      const above: CharSet = last > 0xdfff ? [[Math.max(first, 0xe000), last]] : [];
      return [...below, ...above];
    })
    .sort((a, b) => a[0] - b[0]);
  const merged: [number, number][] = [];
  for (const [first, last] of sorted) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** Every character that is not in the set. */
export function complement(set: CharSet): CharSet {
  const ranges: [number, number][] = [];
  let next = 0;
  for (const [first, last] of charSet(set)) {
    if (first > next) ranges.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= lastCodePoint) ranges.push([next, lastCodePoint]);
  return charSet(ranges);
}

/** What of `set` is not in `removed`. */
export function without(set: CharSet, removed: CharSet): CharSet {
  return complement([...complement(set), ...removed]);
}

/** Ranges that one class of a grammar has at most: the engine compares every token's first character with all of them. */
const mostRanges = 128;
/** Latin letters and signs. */
const commonBelow = 0x0100;

/** A set of so few ranges that the engine can follow it: the common characters, and the longest ranges of the rest. */
export function narrowed(set: CharSet): CharSet {
  if (set.length <= mostRanges) return set;
  const common = set.filter(([first]) => first < commonBelow).slice(0, mostRanges);
  const rest = set
    .filter(([first]) => first >= commonBelow)
    .sort((a, b) => b[1] - b[0] - (a[1] - a[0]))
    .slice(0, mostRanges - common.length);
  return [...common, ...rest].sort((a, b) => a[0] - b[0]);
}

export function includes(set: CharSet, code: number): boolean {
  return set.some(([first, last]) => code >= first && code <= last);
}

const digits: CharSet = [[0x30, 0x39]];
const word: CharSet = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
// White space and line ends as ECMA-262 lists them for `\s`.
const space: CharSet = charSet([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);

/** The sets behind `\d`, `\w`, `\s` and their opposites. */
export const classEscapes: Readonly<Record<string, CharSet>> = {
  d: digits,
  D: complement(digits),
  w: word,
  W: complement(word),
  s: space,
  S: complement(space),
};

export const everything: CharSet = complement([]);

/** What `.` matches: all but line ends. */
export const dot: CharSet = complement([
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]);
