import type { Layout } from './layout.ts';
import { type GrammarPlaces, type GrammarWalker, isBlank } from './walker.ts';

/** Reads the text of an answer along its grammar, from bytes that may end in the middle of a character. */
export interface TextReader {
  /** False when the grammar does not allow the text, or cannot be followed any further; then it is not to be used. */
  push(bytes: Uint8Array): boolean;
  readonly places: GrammarPlaces;
  /** White space since the last character, where the grammar lets it be left out. */
  readonly blanks: string;
  /** The last character that is not such white space. */
  readonly after: number;
  readonly layout: Layout;
}

/** `layout` is told of the white space that the text uses. */
export function createTextReader(walker: GrammarWalker, layout: Layout): TextReader {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let places: GrammarPlaces | null = walker.start;
  /** Bytes that the character under way still lacks. */
  let missing = 0;
  let blanks = '';
  let inBlanks = false;
  let after = 0;

  const take = (code: number) => {
    const optional = places!.places;
    if (!inBlanks && optional.some(isBlank) && !optional.every(isBlank)) inBlanks = true;
    if (inBlanks && isBlankCode(code)) blanks += String.fromCodePoint(code);
    else {
      if (inBlanks) layout.note(after, blanks);
      inBlanks = false;
      blanks = '';
      after = code;
    }
    places = walker.advance(places!, code);
  };

  return {
    push(bytes) {
      try {
        const text = decoder.decode(bytes, { stream: true });
        for (const byte of bytes) missing = missing > 0 && isContinuation(byte) ? missing - 1 : lengthOf(byte) - 1;
        for (const character of text) {
          if (places) take(character.codePointAt(0)!);
        }
      } catch {
        // No UTF-8: no text of any grammar.
        places = null;
      }
      return places !== null;
    },
    get places() {
      // In the middle of a character nothing can be foreseen.
      return missing === 0 ? places! : nowhere;
    },
    get blanks() {
      return blanks;
    },
    get after() {
      return after;
    },
    layout,
  };
}

const nowhere: GrammarPlaces = { places: [], canEnd: false };

const isBlankCode = (code: number) => code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;

const isContinuation = (byte: number) => (byte & 0xc0) === 0x80;

/** Bytes of the character that begins with this one. */
const lengthOf = (byte: number) => (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1);
