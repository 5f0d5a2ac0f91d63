/**
 * How many tokens a text has, without the vocabulary of whoever reads it. Measured with the vocabularies of Llama 2 and 3, Phi 3,
 * Qwen 2 and Gemma 4 on texts in thirty scripts, program code, data and noise: `test/gateway/text-tokens.test.ts`.
 */

/** Longer runs of letters are no words but data. */
const longestWord = 20;
/** Tokens of a letter in what is no plain word: base64, identifiers, abbreviations. At most 0.82 were seen. */
const perOddLetter = 0.85;
/** Of a letter in words of capitals; at most 0.71 were seen. */
const perCapital = 0.75;
const space = 0x20;
/** The bits of a, e, i, o, u and y, each at its place in the alphabet. */
const vowelMask = (1 << 1) | (1 << 5) | (1 << 9) | (1 << 15) | (1 << 21) | (1 << 25);

/**
 * The most tokens that a text may have. Exact bounds where vocabularies fall back on single bytes or characters: every byte
 * of a letter beyond ASCII, every digit, sign and line break; half as many as letters for words in plain ASCII, which is
 * twice what English has, and a tenth more than Swahili and Zulu.
 */
export function mostTokensOf(text: string): number {
  let tokens = 0;
  for (let index = 0; index < text.length; ) {
    const start = index;
    const code = text.charCodeAt(start);
    if (isLetter(code)) {
      index = endOfLetters(text, start);
      tokens += tokensOfLetters(text, start, index);
    } else if (code === space) {
      index = endOfSpaces(text, start);
      tokens += tokensOfSpaces(text, start, index);
    } else {
      index = start + 1;
      tokens += mostOf(code);
    }
  }
  return tokens;
}

/**
 * Tokens that a text is likely to have, in thirds of one: for what was seen of an answer that broke off. A third for each
 * character of ASCII, one for each other character.
 */
export function likelyThirdsOf(text: string): number {
  let thirds = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    // Of a pair of surrogates the second half counts nothing.
    if (code < 0x80) thirds += 1;
    else if (code < 0xdc00 || code > 0xdfff) thirds += 3;
  }
  return thirds;
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a && code < 0x80;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function endOfLetters(text: string, start: number): number {
  let end = start + 1;
  while (isLetter(text.charCodeAt(end))) end++;
  return end;
}

function endOfSpaces(text: string, start: number): number {
  let end = start + 1;
  while (text.charCodeAt(end) === space) end++;
  return end;
}

function tokensOfLetters(text: string, start: number, end: number): number {
  const length = end - start;
  if (length === 1) return 1;
  const touchesDigit = isDigit(text.charCodeAt(start - 1)) || isDigit(text.charCodeAt(end));
  if (touchesDigit || length > longestWord) return Math.ceil(perOddLetter * length);
  let capitals = 0;
  let vowels = 0;
  for (let index = start; index < end; index++) {
    const code = text.charCodeAt(index);
    capitals += code < 0x61 ? 1 : 0;
    vowels |= vowelMask & (1 << (code & 0x1f));
  }
  if (capitals === length) return Math.ceil(perCapital * length);
  const isPlain = vowels !== 0 && (capitals === 0 || (capitals === 1 && text.charCodeAt(start) < 0x61));
  if (!isPlain) return Math.ceil(perOddLetter * length);
  return length <= 3 ? 1 : Math.ceil(length / 2);
}

/** One before a word belongs to it; others are tokens, runs of them as many at once as sixteen. */
function tokensOfSpaces(text: string, start: number, end: number): number {
  const length = end - start;
  if (length === 1) return isLetter(text.charCodeAt(end)) ? 0 : 1;
  return 1 + Math.floor(length / 16);
}

/** Of one UTF-16 unit that is no letter of ASCII and no space. */
function mostOf(code: number): number {
  if (code < 0x80) return 1;
  // Letters of Russian, and kana, which every vocabulary has.
  if ((code >= 0x410 && code <= 0x44f) || (code >= 0x3041 && code <= 0x30fa)) return 1;
  if (code < 0x800) return 2;
  // Each half of a pair of surrogates has two of its four bytes.
  return code >= 0xd800 && code <= 0xdfff ? 2 : 3;
}
