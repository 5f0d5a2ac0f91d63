import { dot, limits } from '../gbnf/gbnf.ts';
import { bracketClass, escaped, single } from './characters.ts';
import { createCursor } from './cursor.ts';
import { PatternError } from './pattern-error.ts';
import { type Syntax, sizeOf } from './syntax.ts';

/**
 * Reads a JSON Schema `pattern` (ECMA-262 with the `u` flag): all but references back to groups and groups with flags.
 * Throws `PatternError`. Never runs the pattern: a client's regular expression can take for ever.
 */
export function parseSyntax(source: string): Syntax {
  if (source.length > limits.patternCharacters) {
    throw new PatternError(`is over ${limits.patternCharacters} characters long`);
  }
  const syntax = createParser(source).wholePattern();
  const size = sizeOf(syntax);
  if (size > limits.patternPositions) {
    throw new PatternError(`unfolds to ${size} characters, ${limits.patternPositions} are possible`);
  }
  return syntax;
}

function createParser(source: string) {
  const cursor = createCursor(source);
  const { peek, next, ahead, take } = cursor;

  function wholePattern(): Syntax {
    const whole = alternatives(0);
    const rest = peek();
    if (rest !== undefined) throw new PatternError(unexpected(rest));
    return whole;
  }

  function alternatives(depth: number): Syntax {
    const items: Syntax[] = [];
    do items.push(sequence(depth));
    while (take('|'));
    return items.length === 1 ? items[0]! : { type: 'choice', items };
  }

  function sequence(depth: number): Syntax {
    const items: Syntax[] = [];
    for (let character = peek(); character !== undefined && !'|)'.includes(character); character = peek()) {
      items.push(quantified(atom(depth)));
    }
    return items.length === 1 ? items[0]! : { type: 'sequence', items };
  }

  function atom(depth: number): Syntax {
    const character = next()!;
    if (character === '(') return group(depth + 1);
    if (character === '[') return { type: 'set', set: bracketClass(cursor) };
    if (character === '.') return { type: 'set', set: dot };
    if (character === '^') return { type: 'start' };
    if (character === '$') return { type: 'end' };
    if (character === '\\') {
      if (take('b')) return { type: 'boundary', negated: false };
      if (take('B')) return { type: 'boundary', negated: true };
      return { type: 'set', set: escaped(cursor, false) };
    }
    if ('*+?{}]'.includes(character)) throw new PatternError(unexpected(character));
    return { type: 'set', set: single(character.codePointAt(0)!) };
  }

  function group(depth: number): Syntax {
    if (depth > limits.patternDepth) throw new PatternError(`has over ${limits.patternDepth} groups in each other`);
    const look = lookAround();
    if (look === null) {
      if (take('?<')) {
        while (peek() !== undefined && peek() !== '>') next();
        if (!take('>')) throw new PatternError('has a group name without end');
      } else if (!take('?:') && ahead('?')) throw new PatternError('has a group of an unknown kind');
    }
    const item = alternatives(depth);
    if (!take(')')) throw new PatternError('has a "(" without its ")"');
    if (look?.direction === 'behind' && looksAhead(item)) throw new PatternError('looks ahead within a look behind');
    return look === null ? item : { type: 'look', ...look, item };
  }

  function lookAround(): { direction: 'ahead' | 'behind'; negated: boolean } | null {
    if (take('?=')) return { direction: 'ahead', negated: false };
    if (take('?!')) return { direction: 'ahead', negated: true };
    if (take('?<=')) return { direction: 'behind', negated: false };
    return take('?<!') ? { direction: 'behind', negated: true } : null;
  }

  function quantified(item: Syntax): Syntax {
    const bounds = quantifier();
    if (bounds === null) return item;
    if (item.type !== 'set' && item.type !== 'sequence' && item.type !== 'choice' && item.type !== 'repeat') {
      throw new PatternError('repeats what matches no character');
    }
    // Greedy or not, the same texts match.
    take('?');
    if (quantifier() !== null) throw new PatternError('has two quantifiers in a row');
    return { type: 'repeat', item, min: bounds.min, max: bounds.max };
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

/** Whether a part needs to know what comes behind it. */
function looksAhead(syntax: Syntax): boolean {
  if (syntax.type === 'sequence' || syntax.type === 'choice') return syntax.items.some(looksAhead);
  if (syntax.type === 'repeat') return looksAhead(syntax.item);
  if (syntax.type === 'look') return syntax.direction === 'ahead' || looksAhead(syntax.item);
  return syntax.type === 'end' || syntax.type === 'boundary';
}

function unexpected(character: string): string {
  return `has "${character}" where nothing can be repeated or closed`;
}
