/** One of the answers that a question allows. */
export interface DecisionOption {
  label: string;
  /** When it is the right one, in the words of the client. */
  description?: string;
}

/**
 * A closed question about an input. `yes-no`: the options are what its two sides mean, where the client says so; `score`:
 * the levels come in order, the lowest first.
 */
export type DecisionQuestion =
  | { type: 'yes-no'; text: string; yes?: string; no?: string }
  | { type: 'choice'; text: string; options: readonly DecisionOption[] }
  | { type: 'score'; text: string; levels: readonly DecisionOption[] };

/** How much may be asked at once. */
export const decisionLimits = {
  questions: 128,
  choices: { least: 2, most: 255 },
  levels: { least: 2, most: 10 },
} as const;

/**
 * One input and several questions about it; nothing is generated. `model` is a name or alias as the client gave it.
 */
export interface DecisionRequest {
  model: string;
  /** What the questions are about. */
  state: string;
  /** At least one. */
  questions: readonly DecisionQuestion[];
  /** How long the model stays loaded after this request, in milliseconds; Infinity: for ever; absent: as configured. */
  keepAliveMs?: number;
}

/** The answer to one question. */
export type Decision =
  | {
      type: 'decided';
      /** One for each option in its order (yes, then no): finite, not negative, 1 in sum. */
      probabilities: number[];
      /** Share of the model's whole distribution that fell on the options, 0 to 1: how well the question was understood. */
      labelMass: number;
    }
  | { type: 'refused'; reason: string; labelMass: number };

export interface DecisionResult {
  /** The model's own name, whatever name it was asked by. */
  model: string;
  /** In the order of the questions. */
  decisions: Decision[];
  /** Tokens of the input once and of all questions. */
  promptTokens: number;
  /** Those of them that a cache had. */
  cachedTokens: number;
  /** Generated for want of another way to read the probabilities; left out: none. */
  outputTokens?: number;
  /** Time until a slot was free, in milliseconds; null: the provider does not tell. */
  queueMs: number | null;
}

/** The likeliest option; of equal ones the first. */
export function likeliest(probabilities: readonly number[]): number {
  return probabilities.reduce((best, p, index) => (p > probabilities[best]! ? index : best), 0);
}

/** How far the likeliest option stands above chance: 0 where all are equally likely, 1 where one is certain. */
export function confidenceOf(probabilities: readonly number[]): number {
  const flat = 1 / probabilities.length;
  const most = probabilities[likeliest(probabilities)]!;
  return probabilities.length < 2 ? 1 : Math.min(1, Math.max(0, (most - flat) / (1 - flat)));
}

/** The expected level of a score, 0 for the lowest. */
export function expectedLevel(probabilities: readonly number[]): number {
  return probabilities.reduce((sum, p, level) => sum + p * level, 0);
}
