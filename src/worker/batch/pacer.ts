/** Decides how many prompt tokens a step may take while others decode. */
export interface PrefillPacer {
  /** Prompt tokens for the next step. `decoding`: slots that decode in it; `depth`: tokens before them in their slot. */
  chunkTokens(decoding: number, depth: number): number;
  /** Tells how long a step took; `depth`: tokens before the portion. */
  observe(step: { milliseconds: number; promptTokens: number; decoding: number; depth: number }): void;
}

/** The kernels change gear at 64 rows: below, a token costs half as much again, above, hardly less. */
const gearRows = 64;
/**
 * Beside decoders llama.cpp first takes one token of every sequence and then the rest of the prompt's portion as a pass
 * of its own. One token more keeps that pass at 64 rows: a step of 64 beside one decoder took 308 ms, of 65 it took 227.
 */
const sharedRows = 1;
const gearTokens = gearRows + sharedRows;
/** A neighbour should not wait longer than this for its next token, whatever it costs the prompt. */
const targetMs = 250;
/** Nor longer than this many of its own steps, where those are slow. */
const targetDecodeSteps = 4;
/** Below this the prompt would never get done. */
const leastTokens = 16;

/**
 * Keeps the steps of decoders under max(250 ms, 4 decode steps): prompts get multiples of 64 tokens and one as long as
 * the step stays under the target, less than 65 only where these take more than twice as long. Nobody decodes: the whole
 * batch. Learns from the steps it is told; until it knows, 65.
 */
export function createPrefillPacer(batchTokens: number): PrefillPacer {
  let decodeMs: number | null = null;
  const promptCost = createPromptCost();
  const learn = (known: number | null, seen: number) => (known === null ? seen : known * 0.7 + seen * 0.3);

  return {
    chunkTokens(decoding, depth) {
      if (decoding === 0) return batchTokens;
      const room = batchTokens - decoding;
      const target = Math.max(targetMs, targetDecodeSteps * (decodeMs ?? 0));
      const fitting = promptCost.tokensWithin(target - (decodeMs ?? 0), depth);
      if (fitting === null) return Math.min(gearTokens, room);
      if (fitting >= gearTokens) return Math.min(room, fitting - ((fitting - sharedRows) % gearRows));
      const farTooSlow = promptCost.milliseconds(gearTokens, depth) > 2 * target;
      return Math.min(room, farTooSlow ? Math.max(leastTokens, fitting) : gearTokens);
    },
    observe({ milliseconds, promptTokens, decoding, depth }) {
      if (promptTokens === 0) {
        if (decoding > 0) decodeMs = learn(decodeMs, milliseconds);
        return;
      }
      // Short rests of prompts say little about what a whole chunk costs.
      if (promptTokens < leastTokens) return;
      const shared = decoding > 0 ? (decodeMs ?? 0) : 0;
      promptCost.learn(promptTokens, depth, Math.max(0.001, milliseconds - shared));
    },
  };
}

/** What prompt tokens cost, which grows with what stands before them: each looks back at all of it. */
interface PromptCost {
  learn(tokens: number, depth: number, milliseconds: number): void;
  /** Null until a first step was told. */
  tokensWithin(milliseconds: number, depth: number): number | null;
  milliseconds(tokens: number, depth: number): number;
}

/** Of a step seven steps ago half is left, so that it is soon noticed when another service takes the cores away. */
const memory = 0.9;

/** A straight line through what was told, cost per token over depth, in which recent steps count more. */
function createPromptCost(): PromptCost {
  let weight = 0;
  let depths = 0;
  let costs = 0;
  let depthSquares = 0;
  let products = 0;
  /** Of the last steps alone: the level moves faster than the slope. */
  let level: { cost: number; depth: number } | null = null;

  /** Cost of a token more for each token of depth. */
  const slope = () => {
    const spread = depthSquares - depths ** 2 / weight;
    // Steps at one depth say nothing about another one.
    return spread / weight < gearTokens ** 2 ? 0 : Math.max(0, (products - (depths * costs) / weight) / spread);
  };
  const tokenMs = (depth: number) => {
    const { cost, depth: at } = level!;
    // However wrong the slope, a token is never taken for nearly free.
    return Math.max(cost / 4, cost + slope() * (depth - at));
  };
  return {
    learn(tokens, depth, milliseconds) {
      const middle = depth + tokens / 2;
      const cost = milliseconds / tokens;
      weight = weight * memory + 1;
      depths = depths * memory + middle;
      costs = costs * memory + cost;
      depthSquares = depthSquares * memory + middle ** 2;
      products = products * memory + middle * cost;
      const expected = level === null ? cost : tokenMs(middle);
      level = { cost: expected * 0.7 + cost * 0.3, depth: middle };
    },
    tokensWithin(milliseconds, depth) {
      if (level === null) return null;
      // The portion's own tokens lengthen what its later ones look back at; twice round is near enough.
      const first = milliseconds / tokenMs(depth);
      return Math.floor(milliseconds / tokenMs(depth + first / 2));
    },
    milliseconds: (tokens, depth) => tokens * tokenMs(depth + tokens / 2),
  };
}
