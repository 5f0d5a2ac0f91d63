import { randomInt } from 'node:crypto';
import {
  type LlamaContextSequence,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from 'node-llama-cpp';
import type { Sampling } from '../../core/chat.ts';

/**
 * Values for fields that a request leaves out: llama.cpp's own defaults, so that a model answers here as it does in
 * other servers of the same engine.
 */
export const samplingDefaults = { temperature: 0.8, topP: 0.95, topK: 40, minP: 0.05 };

/** "No limit" for top_k: 0 would sort the whole vocabulary for every token, 1024 candidates cost nothing extra. */
const unlimitedTopK = 1024;

/** Below it the best candidate is always taken, and a division of the scores by it could overflow. */
const leastTemperature = 1e-6;

/** A seed for requests that give none; the library's own default is the clock in seconds. */
export function randomSeed(): number {
  return randomInt(2 ** 32);
}

/**
 * Maps sampling wishes to the library's options, each field set explicitly: the library's own defaults differ. No
 * request pays for a sampler that it did not ask for.
 * `generated`: the tokens of this answer so far, read before each token by the penalties.
 */
export function evaluateOptions(
  sampling: Sampling,
  generated: readonly number[],
  llamaSequence: LlamaContextSequence,
): SequenceEvaluateOptions {
  const temperature = sampling.temperature ?? samplingDefaults.temperature;
  const greedy = temperature < leastTemperature;
  const topK = sampling.topK ?? samplingDefaults.topK;
  return {
    // The library's greedy sampler leaves the whole vocabulary to look at; of one candidate every draw is the same.
    temperature: greedy ? (sampling.xtc ? 0 : 1) : temperature,
    // Greedy needs only the best candidate; bias and penalties come before this cut.
    topK: greedy ? 1 : topK <= 0 ? unlimitedTopK : topK,
    topP: greedy ? 1 : (sampling.topP ?? samplingDefaults.topP),
    minP: greedy ? 0 : (sampling.minP ?? samplingDefaults.minP),
    seed: sampling.seed ?? randomSeed(),
    yieldEogToken: true,
    ...adjustments(sampling, generated, llamaSequence),
  };
}

/** Options for a choice in our own code: true probabilities of the best candidates after bias and penalties. */
export function candidateOptions(
  sampling: Sampling,
  generated: readonly number[],
  llamaSequence: LlamaContextSequence,
  topLogprobs: number | null,
): SequenceEvaluateOptions {
  const topK = sampling.topK ?? samplingDefaults.topK;
  return {
    temperature: 1,
    // Some more than asked for, so that the normalisation over the candidates stays close to the true one.
    topK: topK <= 0 ? unlimitedTopK : Math.max(256, topK, topLogprobs ?? 0),
    topP: 1,
    minP: 0,
    seed: 1,
    yieldEogToken: true,
    ...adjustments(sampling, generated, llamaSequence),
  };
}

/** What changes the logits before any cut: bias, penalties, and the library's extras. */
function adjustments(
  sampling: Sampling,
  generated: readonly number[],
  llamaSequence: LlamaContextSequence,
): Partial<SequenceEvaluateOptions> {
  const { repeatPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, penaltyTokens } = sampling;
  const { logitBias, xtc, dry } = sampling;
  return {
    ...((repeatPenalty !== 1 || frequencyPenalty !== 0 || presencePenalty !== 0) &&
      penaltyTokens !== 0 && {
        repeatPenalty: {
          // All generated tokens, as OpenAI's penalties count them; the library widens its window to the list's length.
          punishTokens: () =>
            (penaltyTokens === undefined ? [...generated] : generated.slice(-penaltyTokens)) as Token[],
          penalty: repeatPenalty,
          frequencyPenalty,
          presencePenalty,
        },
      }),
    ...(logitBias && { tokenBias: toTokenBias(logitBias, llamaSequence.model) }),
    ...(xtc && { xtc }),
    ...(dry && {
      dryRepeatPenalty: {
        strength: dry.multiplier,
        ...(dry.base !== undefined && { base: dry.base }),
        ...(dry.allowedLength !== undefined && { allowedLength: dry.allowedLength }),
        // The library's own "all of them" does nothing.
        lastTokens: Math.min(dry.lastTokens ?? llamaSequence.contextSize, llamaSequence.contextSize),
        ...(dry.sequenceBreakers !== undefined && { sequenceBreakers: dry.sequenceBreakers }),
      },
    }),
  };
}

function toTokenBias(logitBias: Record<number, number>, model: LlamaModel): TokenBias {
  const bias = TokenBias.for(model);
  // OpenAI: -100 forbids a token. The library's numbers would be taken as probabilities, so logits are named.
  for (const [token, logit] of Object.entries(logitBias)) {
    bias.set(Number(token) as Token, logit <= -100 ? 'never' : { logit });
  }
  return bias;
}
