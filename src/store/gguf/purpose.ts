import type { Operation } from '../../core/model.ts';
import type { GgufFacts } from './facts.ts';

/** llama.cpp's numbers: the vector of the last token, and a head that rates. */
const pooling = { last: 3, rank: 4 } as const;

/**
 * What a model was made for, by its header. A causal model makes embeddings when it pools its last token
 * (Qwen3-Embedding); other pooling needs the whole text in one batch, which only encoders are planned for.
 */
export function purposeOf(facts: Pick<GgufFacts, 'poolingType' | 'isEncoder'>): Operation {
  if (facts.poolingType === pooling.rank) return 'rank';
  return facts.isEncoder || facts.poolingType === pooling.last ? 'embed' : 'generate';
}
