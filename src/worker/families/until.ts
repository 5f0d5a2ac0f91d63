/** Finds a text in another one that comes in pieces. What was searched is not searched again, however it is cut. */
export interface UntilFinder {
  /** What stands before the text and behind it, once it is there; null until then. */
  push(piece: string): { inside: string; rest: string } | null;
  /** All that came, while the text has not. */
  readonly seen: string;
}

export function createUntilFinder(end: string): UntilFinder {
  // Only joined here: a text that is joined and read by turns is copied each time.
  let passed = '';
  /** An end of what came that may begin the text. */
  let tail = '';
  return {
    push(piece) {
      const text = tail + piece;
      const at = text.indexOf(end);
      if (at !== -1) return { inside: passed + text.slice(0, at), rest: text.slice(at + end.length) };
      const kept = Math.max(0, text.length - end.length + 1);
      passed += text.slice(0, kept);
      tail = text.slice(kept);
      return null;
    },
    get seen() {
      return passed + tail;
    },
  };
}
