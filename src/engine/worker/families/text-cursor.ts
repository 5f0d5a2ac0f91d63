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
  };
}

/** What a parser by hand gives for text that is not of its form. */
export const unreadable = Symbol('unreadable');

/** Deeper values are unreadable: a parser must not run out of stack. */
export const deepestValue = 64;
