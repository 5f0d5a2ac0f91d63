import type { CharSet } from './charset.ts';

/**
 * A part of a grammar that may be repeated or put into a sequence as it is: a rule's name, a literal or a class, never
 * a bare choice.
 */
export type Atom = string;

const plainInClass = /^[A-Za-z0-9 _.,:;/@#+*(){}?!%&=<>|~$'`]$/;

/** A GBNF literal that matches `text` exactly. `text` holds no NUL: the engine reads grammars as C strings. */
export function literal(text: string): string {
  const escaped = Array.from(text, (character) => {
    const code = character.codePointAt(0)!;
    if (character === '"' || character === '\\') return `\\${character}`;
    return code < 0x20 || code === 0x7f ? hexEscape(code) : character;
  });
  return `"${escaped.join('')}"`;
}

/** A GBNF character class of the given code points. Punctuation is written as numbers, so none of it has a meaning. */
export function charClass(set: CharSet): string {
  const ranges = set.map(([first, last]) => {
    const dash = last > first + 1 ? '-' : '';
    return first === last ? classCharacter(first) : `${classCharacter(first)}${dash}${classCharacter(last)}`;
  });
  return `[${ranges.join('')}]`;
}

function classCharacter(code: number): string {
  const character = String.fromCodePoint(code);
  return plainInClass.test(character) ? character : hexEscape(code);
}

function hexEscape(code: number): string {
  const digits = code.toString(16).toUpperCase();
  if (code <= 0xff) return `\\x${digits.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, '0')}` : `\\U${digits.padStart(8, '0')}`;
}
