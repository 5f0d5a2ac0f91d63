import { z } from 'zod';
import { AppError } from '../../core/errors.ts';
import { count } from '../fields/answer-values.ts';
import { keepAliveField } from '../fields/keep-alive.ts';
import { modelNameField } from '../fields/model-name.ts';

const maxDocuments = 2048;

const someText = { type: 'string', minLength: 1 } as const;

/** Body of a rerank request as Jina and Cohere have it; unknown fields are dropped, null means absent. */
export const rerankBody = z
  .object({
    model: modelNameField.meta({ examples: ['bge-reranker-v2-m3'] }).nullish(),
    query: z.string().min(1),
    // Looked at in `toDocuments`, for the reason given at `inputField`.
    documents: z.array(z.unknown()).meta({
      override: {
        minItems: 1,
        maxItems: maxDocuments,
        items: { anyOf: [someText, { type: 'object', properties: { text: someText }, required: ['text'] }] },
      },
      description: `At most ${maxDocuments} texts, as they are or as {"text": …}.`,
    }),
    top_n: z.int().min(1).max(65_536).nullish().meta({ description: 'Only the best so many; left out: all.' }),
    return_documents: z.boolean().nullish().meta({ description: 'Repeat the documents in the answer.' }),
    keep_alive: keepAliveField.nullish(),
  })
  .meta({
    id: 'RerankRequest',
    examples: [{ model: 'bge-reranker-v2-m3', query: 'What is GGUF?', documents: ['A file format.', 'A fish.'] }],
  });

export const rerankAnswer = z
  .object({
    id: z.string(),
    model: z.string(),
    results: z
      .array(
        z.object({
          index: count.meta({ description: 'Place of the document in the request.' }),
          relevance_score: z.number(),
          document: z.object({ text: z.string() }).optional(),
        }),
      )
      .meta({ description: 'The best first.' }),
    usage: z.object({ prompt_tokens: count, total_tokens: count }),
  })
  .meta({ id: 'RerankResponse' });

/** The texts of a `documents` field, in order. Throws `invalid_request` that names the item at fault. */
export function toDocuments(documents: readonly unknown[]): string[] {
  if (documents.length === 0) throw wrong('documents', 'is empty');
  if (documents.length > maxDocuments) {
    throw wrong('documents', `has ${documents.length} items; at most ${maxDocuments} are taken`);
  }
  return documents.map((item, index) => {
    const field = `documents.${index}`;
    const text = typeof item === 'object' && item !== null && 'text' in item ? item.text : item;
    if (typeof text !== 'string') throw wrong(field, 'must be a text or {"text": …}');
    if (text === '') throw wrong(field, 'is empty');
    return text;
  });
}

function wrong(field: string, problem: string): AppError {
  return new AppError('invalid_request', `"${field}" ${problem}.`, { field });
}
