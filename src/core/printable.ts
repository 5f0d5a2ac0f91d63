/**
 * What people do not see, or see as something else: control characters (a terminal obeys them), characters that turn the
 * direction of a text or take no room, line and paragraph separators, other blanks than the usual one, half characters.
 * Joiners stay: scripts and emoji are written with them.
 */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?! )\p{Zs}|(?![\u200c\u200d])\p{Cf}/gu;

/** Whether a text shows all that it holds. */
export function isPrintable(text: string): boolean {
  return text.search(unprintable) === -1;
}

/** The text with each such character as `%1B`, the bytes of its UTF-8: for names, logs and terminals. */
export function toPrintable(text: string): string {
  return text.replace(unprintable, (character) =>
    [...new TextEncoder().encode(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** JSON for people and programs, with such characters as `\u001b`. */
export function toPrintableJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(unprintable, (character) =>
    character === '\n'
      ? character
      : character
          .split('')
          .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          .join(''),
  );
}
