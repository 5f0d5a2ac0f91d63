/** Numbers from 0 to below 1, the same for the same seed. Mulberry32 (Tommy Ettinger, public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const words = (
  'river stone morning letter window garden paper winter yellow market silver bridge engine forest number island ' +
  'kitchen ladder mirror ocean pocket quiet rabbit shadow table uncle valley water young zero answer bottle candle ' +
  'dinner empty flower green happy inside jacket kettle little mountain never orange people question road summer ' +
  'traffic under village weather yesterday apple branch copper desert early finger gentle harbour'
).split(' ');

/**
 * `count` common words that no prefix cache has seen: two seeds differ from the first word on, the same seed gives the
 * same text.
 */
export function uniqueWords(count: number, seed: number): string {
  const random = seededRandom(seed);
  const chosen = Array.from({ length: count }, () => words[Math.floor(random() * words.length)]!);
  // The seed itself leads: a few random words may be the same in two texts.
  return [`Note ${seed}:`, ...chosen].join(' ');
}

/** Sentences that small models copy when they are asked to, about `words` words of them; as new as `uniqueWords`. */
export function uniqueSentences(wordCount: number, seed: number): string {
  const random = seededRandom(seed);
  const word = () => words[Math.floor(random() * words.length)]!;
  const forms = [
    () => `The ${word()} near the ${word()} is older than the ${word()}.`,
    () => `Nobody saw the ${word()} behind the ${word()} in the ${word()}.`,
    () => `One ${word()} and one ${word()} stood beside the ${word()}.`,
    () => `Every ${word()} needs a ${word()}, but no ${word()} needs one.`,
  ];
  const count = Math.max(1, Math.round(wordCount / 10));
  const sentences = Array.from({ length: count }, () => forms[Math.floor(random() * forms.length)]!());
  return [`Note ${seed}.`, ...sentences].join(' ');
}

/**
 * Where a run's seeds begin: another second, other texts, so that a server that was measured before has seen none of
 * them. Always ten digits, so that every text costs the same.
 */
export function firstSeed(unixMs: number): number {
  return 1_000_000_000 + (Math.floor(unixMs / 1000) % 900_000) * 1000;
}

/** What a text costs in tokens: a fixed part (template, start token) and a part per word. */
export interface TokenCost {
  fixedTokens: number;
  tokensPerWord: number;
}

/** Fits the cost to two measured prompts. */
export function fitTokenCost(
  short: { words: number; tokens: number },
  long: { words: number; tokens: number },
): TokenCost {
  const tokensPerWord = (long.tokens - short.tokens) / (long.words - short.words);
  return { tokensPerWord, fixedTokens: short.tokens - short.words * tokensPerWord };
}

/** How many words of `uniqueWords` make a prompt of about `tokens` tokens; at least one. */
export function wordsFor(tokens: number, cost: TokenCost): number {
  return Math.max(1, Math.round((tokens - cost.fixedTokens) / cost.tokensPerWord));
}
