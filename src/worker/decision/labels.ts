/** What stands for an option, and the tokens that an answer by it may be. */
export interface Label {
  text: string;
  tokens: readonly number[];
}

/** The labels that a model's tokenizer allows: texts that are one token each where the answer begins. */
export interface Labels {
  /** Letters, and pairs of them behind those, as many as there are. No two share a token. */
  letters(): readonly Label[];
  /** The options' own words, in their order; null where one of them is not one token, or not only its own. */
  words(options: readonly string[]): Label[] | null;
}

const upper = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
const pairsOf = (letters: readonly string[]) => letters.flatMap((first) => letters.map((second) => first + second));

/** Texts that may stand for any option, the best first. */
const candidates: readonly string[] = [
  ...upper,
  ...pairsOf(upper),
  ...pairsOf(upper.map((letter) => letter.toLowerCase())),
];

/** No longer text is one token of any vocabulary. */
const longestWord = 64;

/**
 * Looks for labels. `before`: the end of every prompt; `tokenize`: of text that goes on where other text stands before it;
 * `most`: letters that are looked for.
 */
export function createLabels(before: string, tokenize: (text: string) => readonly number[], most: number): Labels {
  const base = tokenize(before);
  let letters: Label[] | null = null;

  /** Tokens of the forms of a text that are one token. */
  const tokensOf = (forms: readonly string[]): number[] => [
    ...new Set(forms.map((form) => tokenAfter(base, tokenize(before + form))).filter((token) => token !== null)),
  ];

  return {
    letters() {
      if (letters !== null) return letters;
      const taken = new Set<number>();
      letters = [];
      for (const text of candidates) {
        if (letters.length === most) break;
        const tokens = tokensOf([text, ` ${text}`]).filter((token) => !taken.has(token));
        if (tokens.length === 0) continue;
        for (const token of tokens) taken.add(token);
        letters.push({ text, tokens });
      }
      return letters;
    },
    words(options) {
      if (options.some((text) => text.length > longestWord)) return null;
      const labels = options.map((text) => ({ text, tokens: tokensOf(formsOf(text)) }));
      const tokens = labels.flatMap((label) => label.tokens);
      const isClear = labels.every((label) => label.tokens.length > 0) && new Set(tokens).size === tokens.length;
      return isClear ? labels : null;
    },
  };
}

/** A word as a model may begin its answer with it. */
function formsOf(word: string): string[] {
  const capital = word.charAt(0).toUpperCase() + word.slice(1);
  return [word, capital, ` ${word}`, ` ${capital}`];
}

/** The one token that `longer` has behind `base`; null where it is not one. */
function tokenAfter(base: readonly number[], longer: readonly number[]): number | null {
  const isOne = longer.length === base.length + 1 && base.every((token, at) => token === longer[at]);
  return isOne ? longer.at(-1)! : null;
}
