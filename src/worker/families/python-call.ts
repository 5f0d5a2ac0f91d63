import type { ParsedCall } from './buffered-reader.ts';
import { createTextCursor, deepestValue, readEntries, readItems, type TextCursor, unreadable } from './text-cursor.ts';

/** Reads `name(key=value, …)` calls in Python's notation, with commas between them; null when it is anything else. */
export function readPythonCalls(text: string): ParsedCall[] | null {
  const cursor = createTextCursor(text);
  const calls: ParsedCall[] = [];
  for (;;) {
    cursor.space();
    const head = cursor.match(/([A-Za-z_][\w.]*)\s*\(/y);
    if (!head) return null;
    const given = readKeywords(cursor);
    if (!given) return null;
    calls.push({ name: head[1]!, argumentsText: JSON.stringify(given) });
    cursor.space();
    if (cursor.atEnd) return calls;
    if (!cursor.take(',')) return null;
  }
}

function readKeywords(cursor: TextCursor): Record<string, unknown> | null {
  const entries: [string, unknown][] = [];
  for (;;) {
    cursor.space();
    if (cursor.take(')')) return Object.fromEntries(entries);
    if (entries.length > 0 && !cursor.take(',')) return null;
    cursor.space();
    // A comma may stand before the end.
    if (cursor.take(')')) return Object.fromEntries(entries);
    const key = cursor.match(/([A-Za-z_]\w*)\s*=/y);
    const value = key ? readValue(cursor, 0) : unreadable;
    if (!key || value === unreadable) return null;
    entries.push([key[1]!, value]);
  }
}

function readValue(cursor: TextCursor, depth: number): unknown {
  if (depth > deepestValue) return unreadable;
  cursor.space();
  const string = cursor.match(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/sy);
  if (string) return unescaped(string[1] ?? string[2] ?? '');
  const number = cursor.match(/-?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?/y);
  if (number) return Number(number[0]);
  const word = cursor.match(/True|False|None|true|false|null/y);
  if (word) return { t: true, f: false, n: null }[word[0][0]!.toLowerCase()];
  const readInner = () => readValue(cursor, depth + 1);
  if (cursor.take('[')) return readItems(cursor, readInner);
  return cursor.take('{') ? readEntries(cursor, readInner, readInner) : unreadable;
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"', '\n': '' };

/** Python's escapes; an unknown one stays as it is written, as in Python. */
function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\s\S]))/g, (whole, hex2, hex4, other: string) => {
    if (hex2 ?? hex4) return String.fromCharCode(Number.parseInt(hex2 ?? hex4, 16));
    return escapes[other] ?? whole;
  });
}
