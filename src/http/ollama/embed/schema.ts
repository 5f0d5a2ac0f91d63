import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { inputField, inputForms } from '../../fields/embedding-input.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelFields } from '../objects/names.ts';
import { optionsField } from '../objects/options.ts';

const fields = { ...modelFields, keep_alive: keepAliveField.nullish(), options: optionsField };

/** As elsewhere, or a text or list that is empty. */
const orNothing = {
  anyOf: [
    ...inputForms,
    { type: 'null' as const },
    { type: 'string' as const, maxLength: 0 },
    { type: 'array' as const, maxItems: 0 },
  ],
};

export const embedBody = z
  .object({
    ...fields,
    input: inputField
      .nullish()
      .meta({ description: 'A text, a list of texts, or tokens; none: the model is loaded.', override: orNothing }),
    truncate: z
      .boolean()
      .nullish()
      .meta({ description: 'false: a text that is too long is refused; else its end is cut off.' }),
    dimensions: z.int().min(1).max(65_536).nullish(),
  })
  .meta({ id: 'OllamaEmbedRequest', examples: [{ model: 'default', input: ['The quick brown fox'] }] });

export const embeddingsBody = z
  .object({ ...fields, prompt: z.string().nullish() })
  .meta({ id: 'OllamaEmbeddingsRequest', examples: [{ model: 'default', prompt: 'The quick brown fox' }] });

export const embedAnswer = z
  .object({
    model: z.string(),
    embeddings: z.array(z.array(z.number())),
    total_duration: count,
    load_duration: count,
    prompt_eval_count: count,
  })
  .meta({ id: 'OllamaEmbedAnswer' });

export const embeddingsAnswer = z.object({ embedding: z.array(z.number()) }).meta({ id: 'OllamaEmbeddingsAnswer' });
