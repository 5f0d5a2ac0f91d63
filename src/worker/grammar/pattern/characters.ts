import { type CharSet, charSet, classEscapes, complement } from '../gbnf/gbnf.ts';
import type { Cursor } from './cursor.ts';
import { PatternError } from './pattern-error.ts';
import { propertySet } from './properties.ts';

const controlEscapes: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d, '0': 0 };

/** A class, from behind its `[`. */
export function bracketClass(cursor: Cursor): CharSet {
  const negated = cursor.take('^');
  const ranges: (readonly [number, number])[] = [];
  while (!cursor.take(']')) {
    const first = classMember(cursor);
    const firstCode = onlyCode(first);
    if (cursor.peek() === '-' && cursor.peek(1) !== ']' && firstCode !== null) {
      cursor.next();
      const lastCode = onlyCode(classMember(cursor));
      if (lastCode === null || lastCode < firstCode) throw new PatternError('has a range in the wrong order');
      ranges.push([firstCode, lastCode]);
    } else ranges.push(...first);
  }
  const set = negated ? complement(ranges) : charSet(ranges);
  if (set.length === 0) throw new PatternError('has a class without a character');
  return set;
}

function classMember(cursor: Cursor): CharSet {
  const character = cursor.peek();
  if (character === undefined) throw new PatternError('has a "[" without its "]"');
  cursor.next();
  return character === '\\' ? escaped(cursor, true) : single(character.codePointAt(0)!);
}

/** What an escape stands for, from behind its backslash. */
export function escaped(cursor: Cursor, inClass: boolean): CharSet {
  const character = cursor.next();
  if (character === undefined) throw new PatternError('ends in a backslash');
  const known = classEscapes[character];
  if (known !== undefined) return known;
  if (character === 'p' || character === 'P') {
    const set = property(cursor);
    return character === 'p' ? set : complement(set);
  }
  if (inClass && character === 'b') return single(0x08);
  if (character in controlEscapes) {
    if (character === '0' && /^[0-9]$/.test(cursor.peek() ?? '')) throw new PatternError('has an octal escape');
    return single(controlEscapes[character]!);
  }
  if (character === 'x') return single(hexNumber(cursor, 2));
  if (character === 'u') return single(unicodeEscape(cursor));
  if (/^[1-9k]$/.test(character)) throw new PatternError('refers back to a group');
  if (/^[A-Za-z]$/.test(character)) throw new PatternError(`has the escape \\${character}`);
  return single(character.codePointAt(0)!);
}

function property(cursor: Cursor): CharSet {
  if (!cursor.take('{')) throw new PatternError('has \\p without a property in braces');
  let name = '';
  while (cursor.peek() !== undefined && cursor.peek() !== '}') name += cursor.next();
  const set = cursor.take('}') ? propertySet(name) : null;
  if (set === null) throw new PatternError(`has the unknown property \\p{${name.slice(0, 40)}}`);
  return set;
}

function unicodeEscape(cursor: Cursor): number {
  if (cursor.take('{')) {
    let digits = '';
    while (cursor.peek() !== undefined && cursor.peek() !== '}') digits += cursor.next();
    if (!cursor.take('}') || !/^[0-9a-fA-F]{1,6}$/.test(digits) || Number.parseInt(digits, 16) > 0x10ffff) {
      throw new PatternError('has a malformed \\u{…}');
    }
    return Number.parseInt(digits, 16);
  }
  const code = hexNumber(cursor, 4);
  if (code < 0xd800 || code > 0xdfff) return code;
  if (code > 0xdbff || !cursor.take('\\u')) throw new PatternError('has half a surrogate pair');
  const low = hexNumber(cursor, 4);
  if (low < 0xdc00 || low > 0xdfff) throw new PatternError('has half a surrogate pair');
  return 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
}

function hexNumber(cursor: Cursor, length: number): number {
  let digits = '';
  while (digits.length < length && cursor.peek() !== undefined) digits += cursor.next();
  if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw new PatternError('has a malformed escape');
  return Number.parseInt(digits, 16);
}

/** The set of one character. */
export function single(code: number): CharSet {
  return [[code, code]];
}

/** The code point of a set that is one written character; class escapes have no place in a range. */
function onlyCode(set: CharSet): number | null {
  const range = set[0];
  return set.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : null;
}
