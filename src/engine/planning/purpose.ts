import { AppError } from '../../core/errors.ts';
import type { WorkerOptions } from '../../ipc/protocol.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';

/** What a model is for: it continues text, makes vectors of texts, or rates documents against a query. */
export type Purpose = WorkerOptions['mode'];

/** llama.cpp's numbers: the vector of the last token, and a head that rates. */
const pooling = { last: 3, rank: 4 } as const;

/**
 * What a model was made for, by its header. A causal model makes embeddings when it pools its last token
 * (Qwen3-Embedding); other pooling needs the whole text in one batch, which only encoders are planned for.
 */
export function purposeOf(facts: GgufFacts): Purpose {
  if (facts.poolingType === pooling.rank) return 'rank';
  return facts.isEncoder || facts.poolingType === pooling.last ? 'embed' : 'generate';
}

/** How many requests for vectors or scores take turns; one that waits in the queue instead waits for all of another. */
const turns = 4;

/**
 * Slots of a loaded model. Those of a model that generates cost memory and are the plan's to give; vectors and scores are
 * computed one text at a time whatever the number, so there only a wish can make it less than `turns`.
 */
export function slotsFor(purpose: Purpose, plannedSlots: number, wishedSlots: number | undefined): number {
  return purpose === 'generate' ? plannedSlots : (wishedSlots ?? turns);
}

/** Throws when a model is asked for what it was not made for; nothing is loaded for that. */
export function assertPurpose(model: string, made: Purpose, asked: Purpose): void {
  if (made === asked) return;
  const details = { model, purpose: made };
  if (asked === 'generate') {
    const only = made === 'embed' ? 'only makes embeddings' : 'only ranks documents';
    throw new AppError('invalid_request', `"${model}" cannot generate text: this model ${only}.`, {
      field: 'model',
      fix: `Use it at ${made === 'embed' ? '/v1/embeddings' : '/v1/rerank'}, or choose a chat model.`,
      details,
    });
  }
  const [what, example] =
    asked === 'embed'
      ? ['makes no embeddings', 'an embedding model, such as all-MiniLM-L6-v2']
      : ['cannot rank documents', 'a reranking model, such as bge-reranker-v2-m3'];
  throw new AppError('not_supported', `"${model}" ${what}.`, {
    field: 'model',
    fix: `Choose ${example}.`,
    details,
  });
}
