import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { inputField } from '../../fields/embedding-input.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';

/** Body and answer of `/embeddings` in the native dialect. */
export const embeddingBody = z
  .strictObject({
    input: inputField,
    model: modelNameField.meta({ examples: ['all-minilm-l6-v2'] }).optional(),
    keep_alive: keepAliveField.optional(),
  })
  .meta({ id: 'EmbedRequest', examples: [{ input: 'The quick brown fox', model: 'all-minilm-l6-v2' }] });

export const embeddingAnswer = z
  .object({
    embeddings: z.array(z.object({ index: count, embedding: z.array(z.number()), dimensions: count })),
    usage: z.object({ prompt_tokens: count, total_tokens: count }),
    provider: z.string(),
    model: z.string(),
  })
  .meta({ id: 'EmbedResponse' });
