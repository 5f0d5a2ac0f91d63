import { z } from 'zod';
import { count } from '../../fields/answer-values.ts';
import { isGiven } from '../../fields/exclusions.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { chatBody } from '../chat/chat.ts';

/** Names of llama-server first, then those of vLLM for the same. */
export const tokenizeBody = chatBody
  .partial({ messages: true })
  .extend({
    content: z.string().nullish().meta({ description: 'The text.' }),
    prompt: z.string().nullish().meta({ description: "vLLM's name for content." }),
    add_special: z
      .boolean()
      .nullish()
      .meta({ description: 'With the start token, where the model wants one; left out: only with prompt.' }),
    add_special_tokens: z.boolean().nullish().meta({ description: "vLLM's name for add_special." }),
    parse_special: z
      .boolean()
      .nullish()
      .meta({ description: 'Names of control tokens in the text are the tokens: the default.' }),
    with_pieces: z.boolean().nullish().meta({ description: 'Each token with its text, or its bytes.' }),
    return_token_strs: z.boolean().nullish().meta({ description: "vLLM's form of with_pieces: token_strs." }),
  })
  .meta({
    id: 'TokenizeRequest',
    examples: [{ content: 'Hello world' }],
    // One of the three, as `tokens.ts` looks.
    override: { oneOf: ['content', 'prompt', 'messages'].map((field) => isGiven(field)) },
  });

export type TokenizeBody = z.infer<typeof tokenizeBody>;

export const tokenizeAnswer = z
  .object({
    model: z.string(),
    count,
    tokens: z.array(
      z.union([count, z.object({ id: count, piece: z.union([z.string(), z.array(z.int().min(0).max(255))]) })]),
    ),
    token_strs: z.array(z.string()).optional(),
  })
  .meta({ id: 'Tokens' });

/** A list of numbers; its items are looked at in `tokens.ts`, as a schema would collect a complaint for each. */
export const detokenizeBody = z
  .object({
    model: modelNameField.nullish(),
    tokens: z.array(z.unknown()).meta({ override: { minItems: 1, items: { type: 'integer', minimum: 0 } } }),
    keep_alive: keepAliveField.nullish(),
  })
  .meta({ id: 'DetokenizeRequest', examples: [{ tokens: [1, 2, 3] }] });

export const detokenizeAnswer = z
  .object({ content: z.string(), prompt: z.string().meta({ description: "The same under vLLM's name." }) })
  .meta({ id: 'Detokenized' });

export const templateAnswer = z.object({ prompt: z.string() }).meta({ id: 'RenderedPrompt' });

export const inputTokensAnswer = z
  .object({ object: z.literal('response.input_tokens'), input_tokens: count })
  .meta({ id: 'InputTokens' });
