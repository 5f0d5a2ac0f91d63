import { z } from 'zod';
import { maxTokensField } from '../../fields/sampling.ts';
import { commonFields } from '../objects/common-fields.ts';

export const completionBody = z
  .object({
    ...commonFields,
    prompt: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(65_536)]).meta({
      description: 'Text to continue, as a string or an array of one string. Token arrays: not supported yet.',
    }),
    max_tokens: maxTokensField.nullish().meta({ description: 'At most this many tokens; 16 when left out.' }),
    echo: z.boolean().nullish().meta({ description: 'Not supported.' }),
    suffix: z.string().nullish().meta({ description: 'Not supported.' }),
    best_of: z.int().min(1).max(128).nullish().meta({ description: 'Only the same as n.' }),
    logprobs: z
      .int()
      .min(0)
      .max(5)
      .nullish()
      .meta({ description: 'Log probabilities of the tokens, and so many of the likeliest at each place.' }),
  })
  .meta({ id: 'CompletionRequest', examples: [{ model: 'default', prompt: 'Once upon a time', max_tokens: 32 }] });

export type CompletionBody = z.infer<typeof completionBody>;
