import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { inputField } from '../../fields/embedding-input.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';

/** Body and answer of `/v1/embeddings`; unknown fields are dropped and named, null means absent. */
export const embeddingBody = z
  .object({
    input: inputField,
    model: modelNameField.meta({ examples: ['all-minilm-l6-v2'] }).nullish(),
    encoding_format: z
      .enum(['float', 'base64'])
      .nullish()
      .meta({ description: 'base64: little-endian 32-bit floats, as the official SDKs ask for by default.' }),
    dimensions: z.int().min(1).max(65_536).nullish().meta({
      description: "The model's own number, or a smaller one where its file says that its vectors may be cut.",
    }),
    user: z.string().max(1024).nullish().meta({ description: 'Ignored.' }),
    keep_alive: keepAliveField.nullish(),
  })
  .meta({ id: 'EmbeddingRequest', examples: [{ model: 'all-minilm-l6-v2', input: 'The quick brown fox' }] });

/** Names of the fields at the top of a body that are taken and change nothing. */
export const ignoredEmbeddingFields = ['user'];

export type EmbeddingBody = z.infer<typeof embeddingBody>;

export const embeddingAnswer = z
  .object({
    object: z.literal('list'),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: count,
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    model: z.string(),
    usage: z.object({ prompt_tokens: count, total_tokens: count }),
  })
  .meta({ id: 'EmbeddingResponse' });
