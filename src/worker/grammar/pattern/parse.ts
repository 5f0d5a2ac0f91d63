import { dot, everything, limits } from '../gbnf/gbnf.ts';
import { empty, type Pattern, positionsOf, repeated } from './ast.ts';
import { bracketClass, escaped, single } from './characters.ts';
import { createCursor } from './cursor.ts';
import { PatternError } from './pattern-error.ts';

/**
 * Reads a JSON Schema `pattern` (ECMA-262 with the `u` flag) of the safe subset: literals, classes, `.`, groups,
 * alternatives, quantifiers, `^` first and `$` last in an alternative. What is not anchored has any text around it.
 * Throws `PatternError`. Never runs the pattern: a client's regular expression can take for ever.
 */
export function parsePattern(source: string): Pattern {
  if (source.length > limits.patternCharacters) {
    throw new PatternError(`is over ${limits.patternCharacters} characters long`);
  }
  const parser = createParser(source);
  const pattern = parser.wholePattern();
  const positions = positionsOf(pattern);
  if (positions > limits.patternPositions) {
    throw new PatternError(`unfolds to ${positions} characters, ${limits.patternPositions} are possible`);
  }
  return pattern;
}

function createParser(source: string) {
  const cursor = createCursor(source);
  const { peek, next, ahead, take } = cursor;

  function wholePattern(): Pattern {
    const alternatives: Pattern[] = [];
    do {
      const around: Pattern = { type: 'repeat', item: { type: 'set', set: everything }, min: 0, max: null };
      const before = take('^') ? [] : [around];
      let items = sequence(0);
      const after = take('$') ? [] : [around];
      if (after.length === 0 && peek() !== undefined && peek() !== '|') throw new PatternError(unexpected('$'));
      // `.*` next to any text is that text; as a part of its own it would leave two parses of each character.
      if (before.length > 0) items = items.slice(items.findIndex((item) => !isAnyNumber(item)));
      if (after.length > 0) items = items.slice(0, items.findLastIndex((item) => !isAnyNumber(item)) + 1);
      alternatives.push({ type: 'sequence', items: [...before, ...items, ...after] });
    } while (take('|'));
    const rest = peek();
    if (rest !== undefined) throw new PatternError(unexpected(rest));
    return alternatives.length === 1 ? alternatives[0]! : { type: 'choice', items: alternatives };
  }

  function sequence(depth: number): Pattern[] {
    const items: Pattern[] = [];
    for (let character = peek(); character !== undefined && !'|)'.includes(character); character = peek()) {
      if (character === '$' && depth === 0) break;
      items.push(quantified(atom(depth)));
    }
    return items;
  }

  function atom(depth: number): Pattern {
    const character = next()!;
    if (character === '(') return group(depth + 1);
    if (character === '[') return { type: 'set', set: bracketClass(cursor) };
    if (character === '.') return { type: 'set', set: dot };
    if (character === '\\') return { type: 'set', set: escaped(cursor, false) };
    if ('^$*+?{}]'.includes(character)) throw new PatternError(unexpected(character));
    return { type: 'set', set: single(character.codePointAt(0)!) };
  }

  function group(depth: number): Pattern {
    if (depth > limits.patternDepth) throw new PatternError(`has over ${limits.patternDepth} groups in each other`);
    if (['?=', '?!', '?<=', '?<!'].some(ahead)) throw new PatternError('has a look-around group', true);
    if (take('?<')) {
      while (peek() !== undefined && peek() !== '>') next();
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
    while (/^[0-9]$/.test(peek() ?? '')) digits += next();
    if (digits === '') throw new PatternError('has a malformed {m,n}');
    const value = Number(digits);
    if (value > limits.patternPositions) throw new PatternError(`repeats over ${limits.patternPositions} times`);
    return value;
  }

  return { wholePattern };
}

/** Whether an item is one character, any number of times, also none. */
function isAnyNumber(item: Pattern): boolean {
  return item.type === 'repeat' && item.min === 0 && item.max === null && item.item.type === 'set';
}

function unexpected(character: string): string {
  return character === '^' || character === '$'
    ? `has "${character}" where it does not begin or end an alternative`
    : `has "${character}" where nothing can be repeated or closed`;
}
