/** Decides how many prompt tokens a step may take while others decode. */
export interface PrefillPacer {
  /** Prompt tokens for the next step. `decoding`: slots that decode in it. */
  chunkTokens(decoding: number): number;
  /** Tells how long a step took. */
  observe(step: { milliseconds: number; promptTokens: number; decoding: number }): void;
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
  let promptTokenMs: number | null = null;
  // Recent steps count more, so that another service taking the cores away is noticed within a few steps.
  const learn = (known: number | null, seen: number) => (known === null ? seen : known * 0.7 + seen * 0.3);

  return {
    chunkTokens(decoding) {
      if (decoding === 0) return batchTokens;
      const room = batchTokens - decoding;
      if (promptTokenMs === null) return Math.min(gearTokens, room);
      const target = Math.max(targetMs, targetDecodeSteps * (decodeMs ?? 0));
      const fitting = Math.floor((target - (decodeMs ?? 0)) / promptTokenMs);
      if (fitting >= gearTokens) return Math.min(room, fitting - ((fitting - sharedRows) % gearRows));
      const farTooSlow = gearTokens * promptTokenMs > 2 * target;
      return Math.min(room, farTooSlow ? Math.max(leastTokens, fitting) : gearTokens);
    },
    observe({ milliseconds, promptTokens, decoding }) {
      if (promptTokens === 0) {
        if (decoding > 0) decodeMs = learn(decodeMs, milliseconds);
        return;
      }
      // Short rests of prompts say little about what a whole chunk costs.
      if (promptTokens < leastTokens) return;
      const shared = decoding > 0 ? (decodeMs ?? 0) : 0;
      promptTokenMs = learn(promptTokenMs, Math.max(0.001, milliseconds - shared) / promptTokens);
    },
  };
}
