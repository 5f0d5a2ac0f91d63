import { AppError } from '../../core/errors.ts';
import type { Ability, Operation } from '../../core/model.ts';

/** Throws when a model is asked for what it was not made for; nothing is loaded for that. */
export function assertPurpose(model: string, made: Operation, asked: Ability): void {
  if (made === (asked === 'decide' ? 'generate' : asked)) return;
  const details = { model, purpose: made };
  if (asked === 'generate' || asked === 'decide') {
    const cannot = asked === 'decide' ? 'give decisions' : 'generate text';
    const only = made === 'embed' ? 'only makes embeddings' : 'only ranks documents';
    throw new AppError('invalid_request', `"${model}" cannot ${cannot}: this model ${only}.`, {
      field: 'model',
      fix: `Ask it ${made === 'embed' ? 'for embeddings' : 'to rank documents'}, or choose a chat model.`,
      details,
    });
  }
  const [what, example] =
    asked === 'embed'
      ? ['makes no embeddings', 'an embedding model, such as all-MiniLM-L6-v2']
      : ['cannot rank documents', 'a reranking model, such as bge-reranker-v2-m3'];
  throw new AppError('invalid_request', `"${model}" ${what}.`, {
    field: 'model',
    fix: `Choose ${example}.`,
    details,
  });
}
