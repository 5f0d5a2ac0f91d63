/**
 * The white space that a JSON text uses where its grammar leaves it open. Not forced, but a text keeps to the layout that
 * it began with: after a colon what stood after the last colon.
 */
export interface Layout {
  /** What to expect after a character. */
  after(code: number): string;
  /** Notes what stood after a character. */
  note(code: number, blanks: string): void;
}

const colon = 0x3a;
const comma = 0x2c;

/** Begins with what most models write on one line. */
export function createLayout(): Layout {
  const seen = new Map<number, string>([
    [colon, ' '],
    [comma, ' '],
  ]);
  return {
    after: (code) => seen.get(code) ?? '',
    note(code, blanks) {
      seen.set(code, blanks);
    },
  };
}
