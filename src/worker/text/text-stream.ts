import type { Vocabulary } from './vocabulary.ts';

/** Turns generated tokens into text, holding back bytes that are not a whole character yet. */
export interface TextStream {
  push(token: number): string;
  /** What is left at the end: U+FFFD for a character that never became whole, else nothing. */
  end(): string;
}

const isAscii = (byte: number) => byte < 0x80;

/** `detokenize`: the library's own way, used for tokens whose bytes the vocabulary does not know. */
export function createTextStream(vocabulary: Vocabulary, detokenize: (tokens: number[]) => string): TextStream {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let unknown: number[] = [];
  /** The decoder holds no part of a character. */
  let isWhole = true;

  const flushUnknown = (force: boolean): string => {
    if (unknown.length === 0) return '';
    const text = detokenize(unknown);
    // The library writes U+FFFD for a partial character: wait for the rest, but not for ever.
    if (!force && text.endsWith('\ufffd') && unknown.length < 8) return '';
    unknown = [];
    return text;
  };

  return {
    push(token) {
      const bytes = vocabulary.bytesOf(token);
      if (bytes === null) {
        const before = decoder.decode();
        isWhole = true;
        unknown.push(token);
        return before + flushUnknown(false);
      }
      // Most tokens: the decoder is a call into native code.
      if (isWhole && bytes.every(isAscii)) return flushUnknown(true) + String.fromCharCode(...bytes);
      if (bytes.length > 0) isWhole = isAscii(bytes.at(-1)!);
      return flushUnknown(true) + decoder.decode(bytes, { stream: true });
    },
    end: () => flushUnknown(true) + decoder.decode(),
  };
}
