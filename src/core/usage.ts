/** Token counts of one request. A count that nobody knows is null, never 0. */
export interface Usage {
  /** Tokens of the whole prompt, cached ones included. */
  promptTokens: number | null;
  /** Generated tokens without the end-of-turn token. */
  completionTokens: number | null;
  /** Part of `promptTokens` that was reused and not computed again. */
  cachedPromptTokens: number | null;
  /** Part of `completionTokens` spent on reasoning. */
  reasoningTokens: number | null;
}

/** Usage of which nothing is known. */
export const unknownUsage: Usage = {
  promptTokens: null,
  completionTokens: null,
  cachedPromptTokens: null,
  reasoningTokens: null,
};

/** Prompt plus completion, or null when either is unknown. */
export function totalTokens(usage: Usage): number | null {
  return usage.promptTokens === null || usage.completionTokens === null
    ? null
    : usage.promptTokens + usage.completionTokens;
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
