import type { Atom, RuleBook } from '../gbnf/gbnf.ts';
import { type CharSet, charClass, charSet, includes, literal, narrowed, without } from '../gbnf/gbnf.ts';
import type { Pattern } from './ast.ts';

/** A repetition copies what it repeats. */
const longestInline = 120;

/** Characters that a JSON string cannot hold as they are. */
const mustEscape: CharSet = [
  [0x00, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];

/** The escapes that are generated, by code point. Other spellings of a character are valid JSON, but never needed. */
const shortEscapes: readonly (readonly [code: number, letter: string])[] = [
  [0x22, '"'],
  [0x5c, '\\'],
  [0x08, 'b'],
  [0x0c, 'f'],
  [0x0a, 'n'],
  [0x0d, 'r'],
  [0x09, 't'],
];

/**
 * The pattern as GBNF for the inside of a JSON string: a sequence, as text. Returns null when some character of it has
 * no form that is generated (control characters other than `\b \f \n \r \t`).
 */
export function emitPattern(pattern: Pattern, rules: RuleBook): string | null {
  rules.tick();
  switch (pattern.type) {
    case 'set':
      return emitSet(pattern.set);
    case 'sequence':
      return emitSequence(pattern.items, rules);
    case 'choice': {
      const items = pattern.items.map((item) => emitPattern(item, rules));
      const possible = items.filter((item) => item !== null).map((item) => (item === '' ? '""' : item));
      return possible.length === 0 ? null : `(${possible.join(' | ')})`;
    }
    case 'repeat': {
      const item = emitPattern(pattern.item, rules);
      if (item === null) return pattern.min === 0 ? '' : null;
      // A name of its own: the engine multiplies the rules inside a repeated group with the count.
      const isClass = pattern.item.type === 'set' && item.startsWith('[') && item.length <= longestInline;
      const atom: Atom = isClass ? item : rules.add('part', item);
      return rules.repeat(atom, pattern.min, pattern.max);
    }
  }
}

function emitSequence(items: readonly Pattern[], rules: RuleBook): string | null {
  const parts: string[] = [];
  let run = '';
  const flush = () => {
    if (run !== '') parts.push(literal(run));
    run = '';
  };
  for (const item of items) {
    const fixed = item.type === 'set' ? fixedText(item.set) : null;
    if (fixed !== null) {
      run += fixed;
      continue;
    }
    flush();
    const part = emitPattern(item, rules);
    if (part === null) return null;
    if (part !== '') parts.push(part);
  }
  flush();
  return parts.join(' ');
}

/** The text of a set that holds one plain character. */
function fixedText(set: CharSet): string | null {
  const [first, last] = set[0]!;
  return set.length === 1 && first === last && !includes(mustEscape, first) ? String.fromCodePoint(first) : null;
}

/** What of a set has a form that is generated. */
export function writable(set: CharSet): CharSet {
  const escapes = charSet(shortEscapes.map(([code]) => [code, code]));
  return without(set, without(mustEscape, escapes));
}

/** One character of a set inside a JSON string, as GBNF; null when none can be written. */
export function emitSet(set: CharSet): string | null {
  const plain = narrowed(without(set, mustEscape));
  const letters = shortEscapes.filter(([code]) => includes(set, code)).map(([, letter]) => letter);
  const escaped = `"\\\\" ${charClass(letters.map((letter) => [letter.charCodeAt(0), letter.charCodeAt(0)]))}`;
  if (letters.length === 0) return plain.length === 0 ? null : charClass(plain);
  return plain.length === 0 ? `(${escaped})` : `(${charClass(plain)} | ${escaped})`;
}
