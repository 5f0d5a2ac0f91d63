import { z } from 'zod';
import { textOrTokens } from '../../fields/embedding-input.ts';
import { commonFields, openMaxTokens } from '../objects/common-fields.ts';

/** As many as LangChain and the harnesses send at once, several times over. */
export const maxPrompts = 256;

export const completionBody = z
  .object({
    ...commonFields,
    prompt: z.union([z.string().min(1), z.array(z.unknown()).min(1).max(65_536)]).meta({
      description: 'Text to continue, its token numbers, or an array of up to 256 of these.',
      override: {
        anyOf: [
          ...textOrTokens,
          { type: 'array', minItems: 1, maxItems: maxPrompts, items: { anyOf: [...textOrTokens] } },
        ],
      },
    }),
    max_tokens: openMaxTokens.meta({
      description: 'At most this many tokens; 16 when left out, -1: until the end of the context.',
    }),
    echo: z.boolean().nullish().meta({ description: 'The prompt before its answer; not with logprobs.' }),
    suffix: z
      .string()
      .nullish()
      .meta({ description: 'What stands behind the answer, for models with tokens for filling in; others refuse it.' }),
    best_of: z
      .int()
      .min(1)
      .max(8)
      .nullish()
      .meta({ description: 'So many are made, and the n likeliest given; not with stream.' }),
    logprobs: z
      .int()
      .min(0)
      .max(5)
      .nullish()
      .meta({ description: 'Log probabilities of the tokens, and so many of the likeliest at each place.' }),
  })
  .meta({
    id: 'CompletionRequest',
    override: {
      not: { required: ['echo', 'logprobs'], properties: { echo: { const: true }, logprobs: { type: 'integer' } } },
    },
    examples: [{ model: 'default', prompt: 'Once upon a time', max_tokens: 32 }],
  });

/** Names of the fields at the top of a body that are taken and change nothing. */
export const ignoredCompletionFields = ['user'];

export type CompletionBody = z.infer<typeof completionBody>;
