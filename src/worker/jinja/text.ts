import { valueError } from './errors.ts';
import { endOfText, isIdentifier, isPrintable, startOfText, whitespace } from './unicode.ts';

/** Python's `strip`: white space, or any of the characters of `chars`. */
export function strip(text: string, chars: string | null, ends: 'both' | 'left' | 'right'): string {
  if (chars === null) {
    const end = ends === 'left' ? text.length : endOfText(text);
    return text.slice(ends === 'right' ? 0 : Math.min(startOfText(text), end), end);
  }
  const set = new Set(chars);
  const characters = [...text];
  let start = 0;
  let end = characters.length;
  if (ends !== 'right') while (start < end && set.has(characters[start]!)) start++;
  if (ends !== 'left') while (end > start && set.has(characters[end - 1]!)) end--;
  return characters.slice(start, end).join('');
}

/** Python's `split(separator, limit)`. */
export function split(text: string, separator: string, limit: number, fromEnd: boolean): string[] {
  if (separator === '') throw valueError('empty separator');
  if (fromEnd) return splitFromEnd(text, separator, limit);
  const parts = text.split(separator);
  if (limit < 0 || parts.length <= limit + 1) return parts;
  return [...parts.slice(0, limit), parts.slice(limit).join(separator)];
}

function splitFromEnd(text: string, separator: string, limit: number): string[] {
  const parts: string[] = [];
  let end = text.length;
  while (limit < 0 || parts.length < limit) {
    const at = end < separator.length ? -1 : text.lastIndexOf(separator, end - separator.length);
    if (at < 0) break;
    parts.unshift(text.slice(at + separator.length, end));
    end = at;
  }
  return [text.slice(0, end), ...parts];
}

const spaceRuns = new RegExp(`${whitespace}+`, 'gu');

/** Python's `split()`: at white space, without empty parts. */
export function splitSpaces(text: string, limit: number, fromEnd: boolean): string[] {
  const start = startOfText(text);
  const trimmed = text.slice(start, Math.max(start, endOfText(text)));
  if (trimmed === '') return [];
  const words = trimmed.split(spaceRuns);
  if (limit < 0 || words.length <= limit + 1) return words;
  const gaps = [...trimmed.matchAll(spaceRuns)];
  if (fromEnd) {
    if (limit === 0) return [text.slice(0, endOfText(text))];
    const last = words.slice(words.length - limit);
    const gap = gaps[gaps.length - limit]!;
    return [text.slice(0, start + gap.index), ...last];
  }
  const rest =
    limit === 0 ? text.slice(start) : text.slice(start + gaps[limit - 1]!.index + gaps[limit - 1]![0].length);
  return [...words.slice(0, limit), rest];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what Python takes for the end of a line
const lineEnd = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/gu;

/** Python's `splitlines`. */
export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const match of text.matchAll(lineEnd)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(start, keepEnds ? end : match.index));
    start = end;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** A character in title case: `ß` becomes `Ss`. */
function titled(character: string): string {
  const [first = '', ...rest] = character.toUpperCase();
  return first + rest.join('').toLowerCase();
}

export function capitalize(text: string): string {
  const [first = ''] = text;
  return titled(first) + text.slice(first.length).toLowerCase();
}

const casedCharacter = /\p{Cased}/u;

/** Python's `title`: the first letter behind what is none is large. */
export function titleCase(text: string): string {
  let inside = false;
  let result = '';
  for (const character of text) {
    result += inside ? character.toLowerCase() : titled(character);
    inside = casedCharacter.test(character);
  }
  return result;
}

export const swapCase = (text: string): string =>
  Array.from(text, (character) => {
    const upper = character.toUpperCase();
    return upper === character ? character.toLowerCase() : upper;
  }).join('');

export type Kind =
  | 'isalpha'
  | 'isdecimal'
  | 'isdigit'
  | 'isnumeric'
  | 'isalnum'
  | 'isascii'
  | 'isidentifier'
  | 'islower'
  | 'isupper'
  | 'istitle'
  | 'isspace'
  | 'isprintable';

const digits = /^[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒]+$/u;
const patterns: Partial<Record<Kind, RegExp>> = {
  isalpha: /^\p{L}+$/u,
  isdecimal: /^\p{Nd}+$/u,
  isdigit: digits,
  isnumeric: /^[\p{N}㐅㒃㠪㭍一二三四五六七八九十百千万億兆零〇]+$/u,
  isalnum: /^[\p{L}\p{N}]+$/u,
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII
  isascii: /^[\x00-\x7f]*$/u,
};

/** Python's `isalpha` and its like. */
export function isKind(text: string, kind: Kind): boolean {
  const pattern = patterns[kind];
  if (pattern) return pattern.test(text);
  switch (kind) {
    case 'isidentifier':
      return isIdentifier(text);
    case 'isspace':
      return text !== '' && startOfText(text) === text.length;
    case 'islower':
      return casedCharacter.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text);
    case 'isupper':
      return casedCharacter.test(text) && !/[\p{Ll}\p{Lt}]/u.test(text);
    case 'istitle':
      return casedCharacter.test(text) && titleCase(text) === text;
    default:
      return Array.from(text).every(isPrintable);
  }
}
