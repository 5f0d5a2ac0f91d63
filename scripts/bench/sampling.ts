/**
 * Sampling of every stream in the `engine` bench, the same on all sides: a real chain, not the cheaper greedy one, and
 * random text, so that nothing is won by repetition.
 */
export function benchSampling(stream: number) {
  return { temperature: 0.8, topK: 40, topP: 0.95, minP: 0, seed: stream + 1 };
}

/** The same in the words of the OpenAI API; fields that OpenAI does not have are dropped or taken by other servers. */
export function openaiSampling(stream: number) {
  return { temperature: 0.8, top_p: 0.95, seed: stream + 1 };
}
