/** Finds the end of a JSON object or array in text that comes in pieces. It counts brackets; it does not validate. */
interface JsonScanner {
  /** Length of the part of this piece that belongs to the value when it ends here, else null. */
  push(piece: string): number | null;
  /** The text does not begin with `{` (or `[`, where allowed). */
  readonly failed: boolean;
}

export function createJsonScanner(opens: '{' | '{[' = '{'): JsonScanner {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let failed = false;
  return {
    push(piece) {
      for (let at = 0; at < piece.length && !failed; at++) {
        const character = piece[at]!;
        if (inString) {
          if (escaped) escaped = false;
          else if (character === '\\') escaped = true;
          else if (character === '"') inString = false;
        } else if (depth === 0) {
          if (opens.includes(character)) depth = 1;
          else if (!isSpace(character)) failed = true;
        } else if (character === '"') inString = true;
        else if (character === '{' || character === '[') depth++;
        else if ((character === '}' || character === ']') && --depth === 0) return at + 1;
      }
      return null;
    },
    get failed() {
      return failed;
    },
  };
}

const isSpace = (character: string) =>
  character === ' ' || character === '\n' || character === '\t' || character === '\r';

/** The value of JSON text, or undefined when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: every caller has a use for that.
    return undefined;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
