/**
 * Token counts of one answer, each token in one count only. A count that nobody knows is null, never 0.
 * Dialects convert at their edge: Anthropic's input excludes what the cache had, OpenAI's prompt tokens include it.
 */
export interface Usage {
  /** Prompt tokens that were computed and not kept by request: neither read from a cache nor written to one. */
  inputTokens: number | null;
  /** Prompt tokens that a cache had, and that were not computed again. */
  cacheReadTokens: number | null;
  /** Prompt tokens that were computed and kept for five minutes, at the request's wish. */
  cacheWrite5mTokens: number | null;
  /** The same for an hour. */
  cacheWrite1hTokens: number | null;
  /** Generated tokens, reasoning included, without the end-of-turn token. */
  outputTokens: number | null;
  /** Part of `outputTokens` spent on reasoning. */
  reasoningTokens: number | null;
  /**
   * Tokens that were guessed from the text that the request predicted: those that the answer took, and those that it did
   * not. Left out: none were.
   */
  prediction?: { acceptedTokens: number; rejectedTokens: number };
  /** Images that were generated. */
  images: number | null;
  /** Uses of tools that the provider runs itself, by name; null: none, or unknown. */
  serverTools: Readonly<Record<string, number>> | null;
  /** Class of service and region as the provider served it, in its own words. */
  servedTier: string | null;
  servedPlace: string | null;
  /** What the provider said, unchanged; null for our own. */
  raw: unknown;
}

/** Usage of which nothing is known. */
export const unknownUsage: Usage = {
  inputTokens: null,
  cacheReadTokens: null,
  cacheWrite5mTokens: null,
  cacheWrite1hTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  images: null,
  serverTools: null,
  servedTier: null,
  servedPlace: null,
  raw: null,
};

/** Usage of a prompt of `promptTokens`, `cachedTokens` of which were not computed again. */
export function promptUsage(promptTokens: number, cachedTokens: number): Usage {
  return { ...unknownUsage, inputTokens: promptTokens - cachedTokens, cacheReadTokens: cachedTokens };
}

/**
 * Tokens of the whole prompt: uncached input, cache reads and cache writes. Null when the input is unknown; a cache count
 * that is unknown counts as none, since providers without a cache do not name it.
 */
export function promptTokensOf(usage: Usage): number | null {
  if (usage.inputTokens === null) return null;
  const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage;
  return usage.inputTokens + (cacheReadTokens ?? 0) + (cacheWrite5mTokens ?? 0) + (cacheWrite1hTokens ?? 0);
}

/** Prompt plus output, or null when either is unknown. */
export function totalTokensOf(usage: Usage): number | null {
  const promptTokens = promptTokensOf(usage);
  return promptTokens === null || usage.outputTokens === null ? null : promptTokens + usage.outputTokens;
}

/**
 * The usage of several choices of one answer: what was generated in sum, the prompt once. Of its tokens those count as
 * read from the cache that no choice had to compute. Null where one of them is unknown.
 */
export function sumChoices(usages: readonly Usage[]): Usage {
  const [first = unknownUsage] = usages;
  if (usages.length <= 1) return first;
  const promptTokens = promptTokensOf(first);
  const fold = (of: (usage: Usage) => number | null, join: (a: number, b: number) => number) =>
    usages.map(of).reduce((a, b) => (a === null || b === null ? null : join(a, b)));
  const cacheReadTokens = fold((usage) => usage.cacheReadTokens, Math.min);
  return {
    ...first,
    ...sumPredictions(usages),
    inputTokens: promptTokens === null ? null : promptTokens - (cacheReadTokens ?? 0),
    cacheReadTokens,
    outputTokens: fold(
      (usage) => usage.outputTokens,
      (a, b) => a + b,
    ),
    reasoningTokens: fold(
      (usage) => usage.reasoningTokens,
      (a, b) => a + b,
    ),
  };
}

/** The usage of several requests: all of their tokens. Null where one of them is unknown; what cannot be added is the first's. */
export function sumRequests(usages: readonly Usage[]): Usage {
  const [first = unknownUsage] = usages;
  const sum = (of: (usage: Usage) => number | null) =>
    usages.map(of).reduce((a, b) => (a === null || b === null ? null : a + b), 0);
  return {
    ...first,
    ...sumPredictions(usages),
    inputTokens: sum((usage) => usage.inputTokens),
    cacheReadTokens: sum((usage) => usage.cacheReadTokens),
    outputTokens: sum((usage) => usage.outputTokens),
    reasoningTokens: sum((usage) => usage.reasoningTokens),
  };
}

function sumPredictions(usages: readonly Usage[]): Pick<Usage, 'prediction'> {
  const predictions = usages.flatMap(({ prediction }) => prediction ?? []);
  if (predictions.length === 0) return {};
  return {
    prediction: {
      acceptedTokens: predictions.reduce((all, { acceptedTokens }) => all + acceptedTokens, 0),
      rejectedTokens: predictions.reduce((all, { rejectedTokens }) => all + rejectedTokens, 0),
    },
  };
}

/** Where the time of a request went, in milliseconds; null where a phase did not happen or is unknown. */
export interface Timings {
  /** Waiting for a free slot (and for the model to load). */
  queueMs: number | null;
  /** From the start of the prompt's evaluation to the first generated token. */
  prefillMs: number | null;
  /** From the first generated token to the last. */
  decodeMs: number | null;
}

export const unknownTimings: Timings = { queueMs: null, prefillMs: null, decodeMs: null };

/** Of answers that were given side by side: the longest of each phase, of those that are known. */
export function longestTimings(all: readonly Timings[]): Timings {
  const longest = (of: (timings: Timings) => number | null) =>
    all.map(of).reduce((most, value) => (value === null ? most : Math.max(most ?? 0, value)), null);
  return {
    queueMs: longest(({ queueMs }) => queueMs),
    prefillMs: longest(({ prefillMs }) => prefillMs),
    decodeMs: longest(({ decodeMs }) => decodeMs),
  };
}
