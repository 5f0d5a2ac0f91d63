import type { GgufFacts } from '../gguf.ts';
import { kvBytesPerToken, prefersFlashAttention } from './kv-cache.ts';

/** Settings that decide how much memory a model takes. */
export interface LoadShape {
  contextTokens: number;
  slots: number;
  batchTokens: number;
  useMmap: boolean;
}

/** What a loaded model is expected to take, in bytes. */
export interface ExpectedBytes {
  weights: number;
  kvCache: number;
  compute: number;
  /** The worker process itself: Node, native code, the vocabulary in both. */
  process: number;
  total: number;
}

/** Types that llama.cpp's CPU code copies into another order at load. */
const repackedTypes = ['q4_0', 'q8_0', 'q4_k', 'iq4_nl'];
/** The file stays mapped, so where little is repacked the pages that can be dropped are worth more than the copy. */
const repackShareThatMatters = 0.1;

const bareProcessBytes = 90 * 2 ** 20;
/** 40 MB were measured at 32,000 tokens, 160 MB at 152,000. */
const processBytesPerToken = 1_150;
/** Intermediate rows of one layer that are alive at the same time: queries, keys, values, the wide middle, the sums. */
const activationRows = 16;

/** Whether mapping the file costs a second copy of most weights. Source: engine/memory/README.md, "Weights". */
export function repacks(facts: GgufFacts): boolean {
  return repackedBytes(facts) > facts.tensorBytes * repackShareThatMatters;
}

/** Upper estimate of the memory of a model loaded with these settings. Pure. */
export function expectBytes(facts: GgufFacts, shape: LoadShape): ExpectedBytes {
  // Without a map the tied embedding is stored twice: once to look tokens up, once, repacked, as output.
  const copies = shape.useMmap ? repackedBytes(facts) : facts.tiedEmbedding ? facts.embeddingBytes : 0;
  const weights = facts.tensorBytes + copies;
  const cells = shape.slots * shape.contextTokens;
  const kvCache = cells * kvBytesPerToken(facts) + shape.slots * facts.recurrentStateBytes;
  const vocabulary = facts.vocabularySize ?? 0;
  const embedding = facts.embeddingLength ?? 0;
  // One row of scores per token of the batch; encoders have none.
  const scores = facts.isEncoder ? 0 : vocabulary * 4;
  // Without the fused kernel every token of the batch has a weight for every token of the context and every head.
  const attention = prefersFlashAttention(facts) ? 0 : shape.contextTokens * (facts.headCount ?? 0) * 4;
  const compute = shape.batchTokens * (scores + attention + embedding * 4 * activationRows);
  const process = bareProcessBytes + vocabulary * processBytesPerToken;
  return { weights, kvCache, compute, process, total: weights + kvCache + compute + process };
}

function repackedBytes(facts: GgufFacts): number {
  return repackedTypes.reduce((sum, type) => sum + (facts.bytesByType[type] ?? 0), 0);
}
