import type { GgufFacts } from '../gguf.ts';

/** How keys and values are kept: 16-bit floats, or blocks of 32 numbers of 8 bits with one scale each. */
export type KvType = 'f16' | 'q8_0';

const elementBytes: Readonly<Record<KvType, number>> = { f16: 2, q8_0: 34 / 32 };
const blockElements = 32;

/**
 * Bytes of key-value cache for one token, over all layers. Layers with a sliding window are counted as if they kept
 * every token, so the result is an upper bound. 0 for models without a cache.
 * Source: llama.cpp allocates per layer, for every cell, one key and one value row of all key-value heads.
 */
export function kvBytesPerToken(facts: GgufFacts, type: KvType = 'f16'): number {
  if (facts.isEncoder || facts.hasNoAttention) return 0;
  const { keyLength, valueLength } = headLengths(facts);
  const rowBytes = (keyLength + valueLength) * elementBytes[type];
  if (Array.isArray(facts.headCountKv)) {
    return facts.headCountKv.reduce((sum, heads) => sum + heads * rowBytes, 0);
  }
  const heads = facts.headCountKv ?? facts.headCount ?? 0;
  return attentionLayers(facts) * heads * rowBytes;
}

/**
 * Whether the fused attention kernel pays. Measured on one AVX-512 core with 1,600 tokens of context: heads 32 wide
 * decode 2.5 to 3 times faster without it, heads 64 wide are faster with it (prefill by a third).
 */
export function prefersFlashAttention(facts: GgufFacts): boolean {
  return headLengths(facts).keyLength >= 64;
}

/** Whether the fused attention kernel is used: values of 8 bits need it, whatever the width of the heads. */
export function usesFlashAttention(facts: GgufFacts, type: KvType): boolean {
  return type !== 'f16' || prefersFlashAttention(facts);
}

/** Whether the cache may be kept in 8 bits: there is one, and its heads are whole blocks. */
export function allowsQuantizedKv(facts: GgufFacts): boolean {
  const { keyLength, valueLength } = headLengths(facts);
  return (
    kvBytesPerToken(facts) > 0 &&
    !facts.isRecurrent &&
    keyLength % blockElements === 0 &&
    valueLength % blockElements === 0
  );
}

/** Without lengths of their own, heads share the width of the embedding. */
function headLengths(facts: GgufFacts): { keyLength: number; valueLength: number } {
  const shared = facts.headCount ? Math.ceil((facts.embeddingLength ?? 0) / facts.headCount) : 0;
  return { keyLength: facts.keyLength ?? shared, valueLength: facts.valueLength ?? shared };
}

function attentionLayers(facts: GgufFacts): number {
  const layers = facts.blockCount ?? 0;
  return facts.fullAttentionInterval === null ? layers : Math.ceil(layers / facts.fullAttentionInterval);
}
