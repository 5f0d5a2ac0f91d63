import { type CharSet, charSet, classEscapes, complement, dot, everything, limits } from '../gbnf/gbnf.ts';
import { empty, type Pattern, positionsOf, repeated } from './ast.ts';

/** Why a pattern is outside the subset; the caller knows where it stands. */
export class PatternError extends Error {
  /** The pattern is well-formed, and only look-around keeps it out. */
  readonly lookAround: boolean;

  constructor(message: string, lookAround = false) {
    super(message);
    this.lookAround = lookAround;
  }
}

const controlEscapes: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d, '0': 0 };

/**
 * Reads a JSON Schema `pattern` (ECMA-262 with the `u` flag) of the safe subset: literals, classes, `.`, groups,
 * alternatives, quantifiers, `^` first and `$` last in an alternative. What is not anchored has any text around it.
 * Throws `PatternError`. Never runs the pattern: a client's regular expression can take for ever.
 */
export function parsePattern(source: string): Pattern {
  if (source.length > limits.patternCharacters) {
    throw new PatternError(`is over ${limits.patternCharacters} characters long`);
  }
  const parser = createParser(Array.from(source));
  const pattern = parser.wholePattern();
  const positions = positionsOf(pattern);
  if (positions > limits.patternPositions) {
    throw new PatternError(`unfolds to ${positions} characters, ${limits.patternPositions} are possible`);
  }
  return pattern;
}

function createParser(characters: readonly string[]) {
  let at = 0;
  const peek = (offset = 0): string | undefined => characters[at + offset];
  const ahead = (text: string): boolean => characters.slice(at, at + text.length).join('') === text;
  const take = (text: string): boolean => {
    const found = ahead(text);
    if (found) at += text.length;
    return found;
  };

  function wholePattern(): Pattern {
    const alternatives: Pattern[] = [];
    do {
      const around: Pattern = { type: 'repeat', item: { type: 'set', set: everything }, min: 0, max: null };
      const before = take('^') ? [] : [around];
      let items = sequence(0);
      const after = take('$') ? [] : [around];
      if (after.length === 0 && peek() !== undefined && peek() !== '|') throw new PatternError(unexpected('$'));
      // `.*` next to any text is that text; as a part of its own it would leave two readings of each character.
      if (before.length > 0) items = items.slice(items.findIndex((item) => !isAnyNumber(item)));
      if (after.length > 0) items = items.slice(0, items.findLastIndex((item) => !isAnyNumber(item)) + 1);
      alternatives.push({ type: 'sequence', items: [...before, ...items, ...after] });
    } while (take('|'));
    if (at < characters.length) throw new PatternError(unexpected(peek()!));
    return alternatives.length === 1 ? alternatives[0]! : { type: 'choice', items: alternatives };
  }

  function sequence(depth: number): Pattern[] {
    const items: Pattern[] = [];
    for (let next = peek(); next !== undefined && next !== '|' && next !== ')'; next = peek()) {
      if (next === '$' && depth === 0) break;
      items.push(quantified(atom(depth)));
    }
    return items;
  }

  function atom(depth: number): Pattern {
    const character = characters[at++]!;
    if (character === '(') return group(depth + 1);
    if (character === '[') return { type: 'set', set: bracketClass() };
    if (character === '.') return { type: 'set', set: dot };
    if (character === '\\') return { type: 'set', set: escaped(false) };
    if ('^$*+?{}]'.includes(character)) throw new PatternError(unexpected(character));
    return { type: 'set', set: single(character.codePointAt(0)!) };
  }

  function group(depth: number): Pattern {
    if (depth > limits.patternDepth) throw new PatternError(`has over ${limits.patternDepth} groups in each other`);
    if (['?=', '?!', '?<=', '?<!'].some(ahead)) throw new PatternError('has a look-around group', true);
    if (take('?<')) {
      while (peek() !== undefined && peek() !== '>') at++;
      if (!take('>')) throw new PatternError('has a group name without end');
    } else if (!take('?:') && ahead('?')) throw new PatternError('has a group of an unknown kind');
    const alternatives: Pattern[] = [];
    do {
      const items = sequence(depth);
      alternatives.push(items.length === 1 ? items[0]! : { type: 'sequence', items });
    } while (take('|'));
    if (!take(')')) throw new PatternError('has a "(" without its ")"');
    return alternatives.length === 1 ? (alternatives[0] ?? empty) : { type: 'choice', items: alternatives };
  }

  function quantified(item: Pattern): Pattern {
    const bounds = quantifier();
    if (bounds === null) return item;
    // Greedy or not, the same texts match.
    take('?');
    if (quantifier() !== null) throw new PatternError('has two quantifiers in a row');
    return repeated(item, bounds.min, bounds.max);
  }

  function quantifier(): { min: number; max: number | null } | null {
    if (take('*')) return { min: 0, max: null };
    if (take('+')) return { min: 1, max: null };
    if (take('?')) return { min: 0, max: 1 };
    if (!take('{')) return null;
    const min = count();
    const max = take(',') ? (ahead('}') ? null : count()) : min;
    if (!take('}') || (max !== null && max < min)) throw new PatternError('has a malformed {m,n}');
    return { min, max };
  }

  function count(): number {
    let digits = '';
    for (let next = peek(); next !== undefined && /^[0-9]$/.test(next); next = peek()) {
      digits += next;
      at++;
    }
    if (digits === '') throw new PatternError('has a malformed {m,n}');
    const value = Number(digits);
    if (value > limits.patternPositions) throw new PatternError(`repeats over ${limits.patternPositions} times`);
    return value;
  }

  function bracketClass(): CharSet {
    const negated = take('^');
    const ranges: (readonly [number, number])[] = [];
    while (!take(']')) {
      const first = classMember();
      const firstCode = onlyCode(first);
      if (peek() === '-' && peek(1) !== ']' && firstCode !== null) {
        at++;
        const lastCode = onlyCode(classMember());
        if (lastCode === null || lastCode < firstCode) throw new PatternError('has a range in the wrong order');
        ranges.push([firstCode, lastCode]);
      } else ranges.push(...first);
    }
    const set = negated ? complement(ranges) : charSet(ranges);
    if (set.length === 0) throw new PatternError('has a class without a character');
    return set;
  }

  function classMember(): CharSet {
    const character = peek();
    if (character === undefined) throw new PatternError('has a "[" without its "]"');
    at++;
    return character === '\\' ? escaped(true) : single(character.codePointAt(0)!);
  }

  function escaped(inClass: boolean): CharSet {
    const character = characters[at++];
    if (character === undefined) throw new PatternError('ends in a backslash');
    const known = classEscapes[character];
    if (known !== undefined) return known;
    if (inClass && character === 'b') return single(0x08);
    if (character in controlEscapes) {
      if (character === '0' && /^[0-9]$/.test(peek() ?? '')) throw new PatternError('has an octal escape');
      return single(controlEscapes[character]!);
    }
    if (character === 'x') return single(hexNumber(2));
    if (character === 'u') return single(unicodeEscape());
    if (/^[1-9k]$/.test(character)) throw new PatternError('refers back to a group');
    if (/^[A-Za-z]$/.test(character)) throw new PatternError(`has the escape \\${character}`);
    return single(character.codePointAt(0)!);
  }

  function unicodeEscape(): number {
    if (take('{')) {
      let digits = '';
      while (peek() !== undefined && peek() !== '}') digits += characters[at++];
      if (!take('}') || !/^[0-9a-fA-F]{1,6}$/.test(digits) || Number.parseInt(digits, 16) > 0x10ffff) {
        throw new PatternError('has a malformed \\u{…}');
      }
      return Number.parseInt(digits, 16);
    }
    const code = hexNumber(4);
    if (code < 0xd800 || code > 0xdfff) return code;
    if (code > 0xdbff || !take('\\u')) throw new PatternError('has half a surrogate pair');
    const low = hexNumber(4);
    if (low < 0xdc00 || low > 0xdfff) throw new PatternError('has half a surrogate pair');
    return 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
  }

  function hexNumber(length: number): number {
    const digits = characters.slice(at, at + length).join('');
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw new PatternError('has a malformed escape');
    at += length;
    return Number.parseInt(digits, 16);
  }

  return { wholePattern };
}

/** Whether an item is one character, any number of times, also none. */
function isAnyNumber(item: Pattern): boolean {
  return item.type === 'repeat' && item.min === 0 && item.max === null && item.item.type === 'set';
}

function single(code: number): CharSet {
  return [[code, code]];
}

/** The code point of a set that is one written character; class escapes have no place in a range. */
function onlyCode(set: CharSet): number | null {
  const range = set[0];
  return set.length === 1 && range !== undefined && range[0] === range[1] ? range[0] : null;
}

function unexpected(character: string): string {
  return character === '^' || character === '$'
    ? `has "${character}" where it does not begin or end an alternative`
    : `has "${character}" where nothing can be repeated or closed`;
}
