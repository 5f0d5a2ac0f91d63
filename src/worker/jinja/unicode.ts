/** What Python takes for white space, as a class of a pattern: not what JavaScript's `\s` is. */
export const whitespace = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';

const spaceCharacter = new RegExp(whitespace, 'u');
const isSpaceAt = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code < 0x80
    ? code === 32 || (code >= 9 && code <= 13) || (code >= 28 && code <= 31)
    : spaceCharacter.test(text[at]!);
};

/** The first place in a text behind white space. */
export function startOfText(text: string): number {
  let start = 0;
  while (start < text.length && isSpaceAt(text, start)) start++;
  return start;
}

/** The place in a text where the white space at its end begins. No pattern, which would be slow on long white space. */
export function endOfText(text: string): number {
  let end = text.length;
  while (end > 0 && isSpaceAt(text, end - 1)) end--;
  return end;
}

const identifier = /^[\p{ID_Start}_][\p{ID_Continue}]*$/u;

export const isIdentifier = (text: string): boolean => identifier.test(text);

const surrogates = /[\ud800-\udfff]/;

/** True where a string's length in UTF-16 is not its length in characters. */
export const hasSurrogates = (text: string): boolean => surrogates.test(text);

/** Length in characters, as Python counts. */
export function lengthOf(text: string): number {
  if (!hasSurrogates(text)) return text.length;
  let length = 0;
  for (const _character of text) length++;
  return length;
}

/** Index in characters of an index in UTF-16. */
export const characterIndex = (text: string, index: number): number =>
  index <= 0 ? index : lengthOf(text.slice(0, index));

/** Index in UTF-16 of an index in characters. */
export function unitIndex(text: string, index: number): number {
  if (!hasSurrogates(text)) return Math.min(index, text.length);
  let unit = 0;
  for (let left = index; left > 0 && unit < text.length; left--) unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
  return unit;
}

const unprintable = /[\p{C}\p{Z}]/u;
export const isPrintable = (character: string): boolean => character === ' ' || !unprintable.test(character);

/** Order of two strings by their characters. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (!hasSurrogates(a) && !hasSurrogates(b)) return a < b ? -1 : 1;
  let at = 0;
  while (at < a.length && at < b.length) {
    const left = a.codePointAt(at)!;
    const right = b.codePointAt(at)!;
    if (left !== right) return left - right;
    at += left > 0xffff ? 2 : 1;
  }
  return a.length - b.length;
}
