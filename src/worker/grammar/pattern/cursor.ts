/** A place in a text, by code points. */
export interface Cursor {
  /** The character at the place, or so many behind it; undefined at the end. */
  peek(offset?: number): string | undefined;
  /** The character at the place, which moves on behind it. */
  next(): string | undefined;
  /** Whether a text stands at the place. */
  ahead(text: string): boolean;
  /** Moves on behind a text if it stands at the place. */
  take(text: string): boolean;
}

export function createCursor(text: string): Cursor {
  const characters = Array.from(text);
  let at = 0;
  const ahead = (wanted: string): boolean => characters.slice(at, at + wanted.length).join('') === wanted;
  return {
    peek: (offset = 0) => characters[at + offset],
    next: () => characters[at++],
    ahead,
    take(wanted) {
      const found = ahead(wanted);
      if (found) at += wanted.length;
      return found;
    },
  };
}
