import { JinjaError } from './errors.ts';
import { endOfText, isIdentifier, startOfText, whitespace } from './unicode.ts';

export type TokenType =
  | 'data'
  | 'begin-block'
  | 'end-block'
  | 'begin-print'
  | 'end-print'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'end';

export interface Token {
  type: TokenType;
  /** The text; of a string, what stands in it. */
  text: string;
  line: number;
}

const rootPattern = new RegExp(
  `(?<raw>\\{%(?<rawSign>[-+]?)${whitespace}*raw${whitespace}*(?:-%\\}${whitespace}*|%\\}))|(?<tag>\\{%|\\{#|\\{\\{)(?<sign>[-+]?)`,
  'gu',
);
const commentEnd = new RegExp(`\\+#\\}|-#\\}${whitespace}*|#\\}\\n?`, 'gu');
const rawEnd = new RegExp(
  `\\{%(?<sign>[-+]?)${whitespace}*endraw${whitespace}*(?:\\+%\\}|-%\\}${whitespace}*|%\\}\\n?)`,
  'gu',
);
const blockEnd = new RegExp(`\\+%\\}|-%\\}${whitespace}*|%\\}\\n?`, 'yu');
const printEnd = new RegExp(`-\\}\\}${whitespace}*|\\}\\}`, 'yu');
const spaces = new RegExp(`${whitespace}+`, 'yu');
const float = /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iuy;
const integer = /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iuy;
const word = /[\p{L}\p{N}\p{M}\p{Pc}·℘℮]+/uy;
const string = /'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"/suy;
const operator = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/uy;
const closing: Record<string, string> = { '(': ')', '[': ']', '{': '}' };

const fail = (message: string, line: number) => new JinjaError('TemplateSyntaxError', `${message} (line ${line})`);

/** The tokens of a template, as Jinja2 with trim_blocks and lstrip_blocks cuts it. Throws `TemplateSyntaxError`. */
export function tokenize(template: string): Token[] {
  // One line end at the very end is no part of the template.
  const source = template.replace(/\r\n|\r/gu, '\n').replace(/\n$/u, '');
  const tokens: Token[] = [];
  let line = 1;
  let counted = 0;
  const lineAt = (position: number) => {
    for (; counted < position; counted++) if (source.charCodeAt(counted) === 10) line++;
    return line;
  };
  const addData = (text: string, at: number) => {
    if (text !== '') tokens.push({ type: 'data', text, line: lineAt(at) });
  };
  let position = 0;
  let startsLine = true;
  while (position < source.length) {
    rootPattern.lastIndex = position;
    const match = rootPattern.exec(source);
    if (!match) {
      addData(source.slice(position), position);
      break;
    }
    const { raw, rawSign, tag, sign } = match.groups!;
    addData(
      stripBefore(source.slice(position, match.index), (raw ? rawSign : sign)!, startsLine, tag === '{{'),
      position,
    );
    const start = match.index + match[0].length;
    if (raw) {
      rawEnd.lastIndex = start;
      const end = rawEnd.exec(source);
      if (!end && start >= source.length) break;
      if (!end) throw fail('Missing end of raw directive', lineAt(start));
      addData(stripBefore(source.slice(start, end.index), end.groups!['sign']!, raw.endsWith('\n'), false), start);
      position = end.index + end[0].length;
    } else if (tag === '{#') {
      commentEnd.lastIndex = start;
      const end = commentEnd.exec(source);
      if (!end && start >= source.length) break;
      if (!end) throw fail('Missing end of comment tag', lineAt(start));
      position = end.index + end[0].length;
    } else position = readTag(source, start, tag === '{{', tokens, lineAt);
    startsLine = source[position - 1] === '\n';
  }
  tokens.push({ type: 'end', text: '', line: lineAt(source.length) });
  return tokens;
}

/** Text before a tag without the white space that the tag takes away. */
function stripBefore(text: string, sign: string, startsLine: boolean, isPrint: boolean): string {
  if (sign === '-') return text.slice(0, endOfText(text));
  if (sign === '+' || isPrint) return text;
  const lineStart = text.lastIndexOf('\n') + 1;
  if (lineStart === 0 && !startsLine) return text;
  const rest = text.slice(lineStart);
  return startOfText(rest) === rest.length ? text.slice(0, lineStart) : text;
}

/** Reads from behind `{%` or `{{` to behind its end; the position there. */
function readTag(
  source: string,
  start: number,
  isPrint: boolean,
  tokens: Token[],
  lineAt: (position: number) => number,
): number {
  const add = (type: TokenType, text: string, at: number) => tokens.push({ type, text, line: lineAt(at) });
  const end = isPrint ? printEnd : blockEnd;
  const open: string[] = [];
  let position = start;
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    return pattern.exec(source)?.[0] ?? null;
  };
  add(isPrint ? 'begin-print' : 'begin-block', '', start);
  while (position < source.length) {
    let text = open.length === 0 ? match(end) : null;
    if (text !== null) {
      add(isPrint ? 'end-print' : 'end-block', '', position);
      return position + text.length;
    }
    text = match(spaces);
    if (text !== null) {
      position += text.length;
      continue;
    }
    text = readWord(
      match,
      (type, value) => add(type, value, position),
      () => lineAt(position),
    );
    if (text === null) {
      text = match(operator);
      if (text === null) throw fail(`unexpected char '${source[position]}' at ${position}`, lineAt(position));
      const closer = closing[text];
      if (closer) open.push(closer);
      else if (text === ')' || text === ']' || text === '}') {
        const expected = open.pop();
        if (expected !== text) {
          throw fail(`unexpected '${text}'${expected ? `, expected '${expected}'` : ''}`, lineAt(position));
        }
      }
      add('operator', text, position);
    }
    position += text.length;
  }
  return position;
}

/** A number, a name or a string at the place where `match` looks; its text, null where none stands. */
function readWord(
  match: (pattern: RegExp) => string | null,
  add: (type: TokenType, text: string) => void,
  line: () => number,
): string | null {
  let text = match(float);
  if (text !== null) {
    add('float', text.replaceAll('_', ''));
    return text;
  }
  text = match(integer);
  if (text !== null) {
    add('integer', text.replaceAll('_', ''));
    return text;
  }
  text = match(word);
  if (text !== null) {
    if (!isIdentifier(text)) throw fail('Invalid character in identifier', line());
    add('name', text);
    return text;
  }
  text = match(string);
  if (text !== null) add('string', unescaped(text.slice(1, -1), line));
  return text;
}

const simpleEscapes: Record<string, string> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Python's escapes; an unknown one stays as it stands. */
function unescaped(text: string, line: () => number): string {
  if (!text.includes('\\')) return text;
  return text.replace(
    /\\(?:([0-7]{1,3})|x(.{0,2})|u(.{0,4})|U(.{0,8})|N(\{[^}]*\})?|(.))/gsu,
    (whole, octal, x, u, long, name, simple) => {
      if (octal !== undefined) return String.fromCodePoint(Number.parseInt(octal, 8));
      const digits: string | undefined = x ?? u ?? long;
      if (digits !== undefined) {
        const length = x !== undefined ? 2 : u !== undefined ? 4 : 8;
        const code = /^[0-9a-f]+$/iu.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : -1;
        if (code < 0 || code > 0x10ffff) throw fail(`truncated \\${whole[1]} escape`, line());
        return String.fromCodePoint(code);
      }
      if (simple === undefined) throw fail(`cannot read the character name ${name ?? ''}`, line());
      return simpleEscapes[simple] ?? whole;
    },
  );
}
