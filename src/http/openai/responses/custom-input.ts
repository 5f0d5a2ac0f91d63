import { parseArguments } from '../../../core/content.ts';
import { customInputName } from './tools.ts';

/** Reads the text of a custom tool's input out of the JSON that the model writes, as it comes. */
export interface CustomInput {
  /** The next piece of the JSON; returns what it adds to the text. */
  push(json: string): string;
  /** The whole text; where the model wrote something else than it was asked for, that as it stands. */
  end(): string;
}

const opening = new RegExp(`^\\s*\\{\\s*"${customInputName}"\\s*:\\s*"`);
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

export function createCustomInput(): CustomInput {
  let json = '';
  /** Where in `json` the text goes on; null: it has not begun. */
  let at: number | null = null;
  let text = '';
  let isClosed = false;

  /** Decodes as far as whole characters have come. */
  const decode = (): string => {
    let added = '';
    let place = at!;
    while (place < json.length) {
      const char = json[place]!;
      if (char === '"') {
        isClosed = true;
        break;
      }
      if (char !== '\\') {
        added += char;
        place++;
        continue;
      }
      const escaped = json[place + 1];
      if (escaped === undefined) break;
      if (escaped !== 'u') {
        added += escapes[escaped] ?? escaped;
        place += 2;
        continue;
      }
      const code = unicodeAt(json, place);
      if (code === null) break;
      added += code.text;
      place += code.length;
    }
    at = place;
    return added;
  };

  return {
    push(piece) {
      json += piece;
      if (isClosed) return '';
      at ??= opening.exec(json)?.[0].length ?? null;
      if (at === null) return '';
      const added = decode();
      text += added;
      return added;
    },
    end() {
      // What was sent in pieces cannot be taken back.
      if (at !== null) return text;
      const given = parseArguments(json)[customInputName];
      return typeof given === 'string' ? given : json;
    },
  };
}

/** The character of a `\uXXXX` at `place`, both halves of a pair together; null: not all of it is there. */
function unicodeAt(json: string, place: number): { text: string; length: number } | null {
  if (json.length < place + 6) return null;
  const code = Number.parseInt(json.slice(place + 2, place + 6), 16);
  if (!Number.isInteger(code)) return { text: '\uFFFD', length: 6 };
  if (code < 0xd800 || code > 0xdfff) return { text: String.fromCharCode(code), length: 6 };
  if (json.length < place + 12 && '\\u'.startsWith(json.slice(place + 6, place + 8))) return null;
  const low = json.startsWith('\\u', place + 6) ? Number.parseInt(json.slice(place + 8, place + 12), 16) : 0;
  const isPair = code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
  return isPair ? { text: String.fromCharCode(code, low), length: 12 } : { text: '\uFFFD', length: 6 };
}
