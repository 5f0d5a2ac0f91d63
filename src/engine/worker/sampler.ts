import { randomInt } from 'node:crypto';
import type { SequenceEvaluateOptions, Token } from 'node-llama-cpp';
import type { Sampling } from '../../core/chat.ts';

/**
 * Values for fields that a request leaves out: llama.cpp's own defaults, so that a model answers here as it does in
 * other servers of the same engine.
 */
const defaults = { temperature: 0.8, topP: 0.95, topK: 40, minP: 0.05 };

/** "No limit" for top_k: 0 would sort the whole vocabulary for every token, 1024 candidates cost nothing extra. */
const unlimitedTopK = 1024;

/**
 * Maps sampling wishes to the library's options, each field set explicitly: the library's own defaults differ, and its
 * default seed is the clock in seconds.
 * `generated`: the tokens of this answer so far, read before each token by the penalties.
 */
export function evaluateOptions(sampling: Sampling, generated: readonly number[]): SequenceEvaluateOptions {
  const temperature = sampling.temperature ?? defaults.temperature;
  const greedy = temperature === 0;
  const topK = sampling.topK ?? defaults.topK;
  const penalties =
    (sampling.repeatPenalty ?? 1) !== 1 ||
    (sampling.frequencyPenalty ?? 0) !== 0 ||
    (sampling.presencePenalty ?? 0) !== 0;
  return {
    temperature,
    // Greedy needs only the best candidate; the penalties come before this cut.
    topK: greedy ? 1 : topK <= 0 ? unlimitedTopK : topK,
    topP: greedy ? 1 : (sampling.topP ?? defaults.topP),
    minP: greedy ? 0 : (sampling.minP ?? defaults.minP),
    seed: sampling.seed ?? randomInt(2 ** 32),
    yieldEogToken: true,
    ...(penalties && {
      repeatPenalty: {
        // All generated tokens, as OpenAI's penalties count them; the library widens its window to the list's length.
        punishTokens: () => [...generated] as Token[],
        penalty: sampling.repeatPenalty ?? 1,
        frequencyPenalty: sampling.frequencyPenalty ?? 0,
        presencePenalty: sampling.presencePenalty ?? 0,
      },
    }),
  };
}
