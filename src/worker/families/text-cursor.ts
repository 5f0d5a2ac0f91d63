/** A place in a text, for parsers by hand. */
export interface TextCursor {
  readonly atEnd: boolean;
  /** Skips white space. */
  space(): void;
  /** Skips `text` if it stands here. */
  take(text: string): boolean;
  /** What the pattern (sticky) matches here, or null. */
  match(pattern: RegExp): RegExpExecArray | null;
  /** The text up to `end`, which is skipped too; null when it does not come. */
  until(end: string): string | null;
  /** Goes back by so many characters. */
  back(characters: number): void;
}

export function createTextCursor(text: string): TextCursor {
  let at = 0;
  return {
    get atEnd() {
      return at >= text.length;
    },
    space() {
      while (at < text.length && /\s/.test(text[at]!)) at++;
    },
    take(wanted) {
      if (!text.startsWith(wanted, at)) return false;
      at += wanted.length;
      return true;
    },
    match(pattern) {
      pattern.lastIndex = at;
      const found = pattern.exec(text);
      if (found) at = pattern.lastIndex;
      return found;
    },
    until(end) {
      const found = text.indexOf(end, at);
      if (found === -1) return null;
      const inside = text.slice(at, found);
      at = found + end.length;
      return inside;
    },
    back(characters) {
      at -= characters;
    },
  };
}

/** What a parser by hand gives for text that is not of its form. */
export const unreadable = Symbol('unreadable');

/** Deeper values are unreadable: a parser must not run out of stack. */
export const deepestValue = 64;

/** The items of a list behind its opening bracket, through the closing one; `readItem` may give `unreadable`. */
export function readItems(cursor: TextCursor, readItem: () => unknown): unknown {
  const items: unknown[] = [];
  for (;;) {
    cursor.space();
    if (cursor.take(']')) return items;
    if (items.length > 0 && !cursor.take(',')) return unreadable;
    const item = readItem();
    if (item === unreadable) return unreadable;
    items.push(item);
  }
}

/** The entries behind an opening brace, through the closing one, as an object; a key that is no text is unreadable. */
export function readEntries(cursor: TextCursor, readKey: () => unknown, readValue: () => unknown): unknown {
  const entries: [string, unknown][] = [];
  for (;;) {
    cursor.space();
    if (cursor.take('}')) return Object.fromEntries(entries);
    if (entries.length > 0 && !cursor.take(',')) return unreadable;
    cursor.space();
    const key = readKey();
    cursor.space();
    if (typeof key !== 'string' || !cursor.take(':')) return unreadable;
    const value = readValue();
    if (value === unreadable) return unreadable;
    entries.push([key, value]);
  }
}
