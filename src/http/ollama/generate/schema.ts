import { z } from 'zod';
import { costField } from '../../answer/answer.ts';
import { count, timestamp } from '../../fields/answer-values.ts';
import { maxTokensField, samplingFields } from '../../fields/sampling.ts';
import { logprobs, timings } from '../objects/answer-schema.ts';
import { commonFields, loneLogprobs } from '../objects/wishes.ts';

const fields = {
  ...commonFields,
  prompt: z.string().nullish().meta({ description: 'Empty: the model is loaded, or unloaded with "keep_alive": 0.' }),
  suffix: z
    .string()
    .nullish()
    .meta({ description: 'For models that fill in; those here do not.', override: { maxLength: 0 } }),
  system: z.string().nullish().meta({ description: 'In place of that of a made model.' }),
  template: z.string().nullish().meta({ description: "A chat template in Jinja, in place of the model's own." }),
  raw: z.boolean().nullish().meta({ description: 'The prompt as it stands, without a template.' }),
  images: z.array(z.string()).max(64).nullish().meta({ description: 'Base64; for models that read images.' }),
  context: z.array(z.unknown()).nullish().meta({ description: 'Ignored: /api/chat has conversations.' }),
};

/** What `to-core.ts` looks at: a raw prompt has no place for others. */
type Given = { type: 'string'; minLength: number } | { type: 'array'; minItems: number };
const besideRaw = (name: string, given: Given) => ({
  not: { required: ['raw', name], properties: { raw: { const: true }, [name]: given } },
});
const someText = { type: 'string' as const, minLength: 1 };
const bounds = {
  allOf: [
    loneLogprobs,
    besideRaw('system', someText),
    besideRaw('template', someText),
    besideRaw('images', { type: 'array', minItems: 1 }),
  ],
};

export const generateBody = z.object(fields).meta({ id: 'OllamaGenerateRequest', override: bounds });

/** Fields that only the first seed specification has. */
const seedFields = {
  max_tokens: maxTokensField.nullish(),
  temperature: samplingFields.temperature.nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
};

/** The body of both, at the place that they share. */
export const sharedBody = z.object({ ...fields, ...seedFields }).meta({
  id: 'OllamaOrSeedGenerateRequest',
  override: bounds,
  examples: [{ model: 'default', prompt: 'What is Hearth?', max_tokens: 100 }],
});

export type GenerateBody = z.infer<typeof sharedBody>;

/** A line of the stream, or the whole answer. */
export const generateLine = z
  .object({
    model: z.string(),
    created_at: timestamp,
    response: z.string(),
    thinking: z.string().optional(),
    done: z.boolean(),
    done_reason: z.enum(['stop', 'length', 'load', 'unload']).optional(),
    context: z.array(count).optional(),
    logprobs: logprobs.optional(),
    ...timings,
    request_id: z.string().optional().meta({ description: 'These four at /api/generate only.' }),
    output: z.string().optional(),
    usage: z.object({ input_tokens: count, output_tokens: count }).optional(),
    cost: costField.optional(),
  })
  .meta({ id: 'OllamaGenerateLine' });
