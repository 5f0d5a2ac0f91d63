import type { Sampling } from '../../core/chat.ts';
import type { GenerationSettings } from '../sequence/sequence.ts';

/** Whether guesses change neither the text of an answer nor a seeded run. */
export function allowsDrafts({ topLogprobs, sampling }: GenerationSettings): boolean {
  return topLogprobs === null && samplesFreely(sampling);
}

/**
 * Penalties would not see the guesses before them, and a seed promises the same text again, while a guess spends random
 * numbers of its own.
 */
function samplesFreely(sampling: Sampling): boolean {
  const { repeatPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, dry, xtc, seed, temperature } = sampling;
  const seeded = seed !== undefined && temperature !== 0;
  return repeatPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && !dry && !xtc && !seeded;
}
