import { z } from 'zod';
import type { Sampling } from '../../core/chat.ts';

const maxBiases = 300;
const maxTokenCount = 2 ** 31 - 1;
/** llama.cpp allocates what it is asked to look back on, per request. */
const maxDryWindow = 131_072;
/** llama.cpp's own default, for bodies that give the probability only. */
const defaultXtcThreshold = 0.1;

/** Token numbers as text to what is added to their logits. All complaints are about the field: a client knows its keys. */
const logitBiasField = z
  .record(z.string(), z.unknown())
  .superRefine((biases, context) => {
    const entries = Object.entries(biases);
    const refuse = (message: string) => context.addIssue({ code: 'custom', message });
    if (entries.length > maxBiases) return refuse(`it has more than ${maxBiases} entries`);
    for (const [token, bias] of entries) {
      if (!/^\d{1,9}$/.test(token)) return refuse(`"${token.slice(0, 40)}" is no token number`);
      if (typeof bias !== 'number' || bias < -100 || bias > 100) {
        return refuse(`the bias of token ${token} is no number from -100 to 100`);
      }
    }
  })
  .meta({
    description: `Added to the logits of tokens, by token number: -100 forbids one, 100 forces it. At most ${maxBiases}.`,
    examples: [{ '42': -100 }],
    override: {
      propertyNames: { pattern: '^[0-9]{1,9}$' },
      additionalProperties: { type: 'number', minimum: -100, maximum: 100 },
      maxProperties: maxBiases,
    },
  });

/** Fields of sampling beyond the usual ones, under llama.cpp's names where OpenAI has none. */
export const extraSamplingFields = {
  logit_bias: logitBiasField,
  ignore_eos: z.boolean().meta({ description: 'Never end by itself: the answer runs to max_tokens or a stop string.' }),
  min_tokens: z
    .int()
    .min(0)
    .max(maxTokenCount)
    .meta({ description: 'The answer does not end by itself before so many tokens.' }),
  xtc_probability: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'How often the likeliest tokens are left out (XTC); 0 is off.' }),
  xtc_threshold: z.number().min(0).max(1).meta({ description: 'XTC: from this probability on; 0.1 when left out.' }),
  dry_multiplier: z
    .number()
    .min(0)
    .max(100)
    .meta({ description: 'Strength of the penalty for repeated sequences (DRY); 0 is off.' }),
  dry_base: z.number().min(1).max(100).meta({ description: 'DRY: growth with the length; 1.75 when left out.' }),
  dry_allowed_length: z
    .int()
    .min(0)
    .max(maxTokenCount)
    .meta({ description: 'DRY: tokens that may repeat freely; 2 when left out.' }),
  dry_penalty_last_n: z.int().min(-1).max(maxDryWindow).meta({ description: 'DRY: how far back it looks; -1: all.' }),
  dry_sequence_breakers: z
    .array(z.string().min(1).max(64))
    .max(16)
    .meta({ description: 'DRY: texts that no repeated sequence reaches across.' }),
};

/** The values of `extraSamplingFields`, as a body may hold them. */
export type ExtraSamplingValues = {
  [Name in keyof typeof extraSamplingFields]?: z.infer<(typeof extraSamplingFields)[Name]> | null | undefined;
};

/** The extras in the words of the core. What is off is left out, so that no request pays for it. */
export function toExtraSampling(values: ExtraSamplingValues): Sampling {
  const biases = Object.entries(values.logit_bias ?? {});
  const xtcProbability = values.xtc_probability ?? 0;
  const dry = toDry(values);
  return {
    // The schema has looked at every key and value.
    ...(biases.length > 0 && {
      logitBias: Object.fromEntries(biases.map(([token, bias]) => [Number(token), Number(bias)])),
    }),
    ...(values.ignore_eos && { ignoreEnd: true }),
    ...((values.min_tokens ?? 0) > 0 && { minTokens: values.min_tokens! }),
    ...(xtcProbability > 0 && {
      xtc: { probability: xtcProbability, threshold: values.xtc_threshold ?? defaultXtcThreshold },
    }),
    ...(dry && { dry }),
  };
}

function toDry(values: ExtraSamplingValues): Sampling['dry'] {
  const multiplier = values.dry_multiplier ?? 0;
  if (multiplier === 0) return undefined;
  const base = values.dry_base ?? null;
  const allowedLength = values.dry_allowed_length ?? null;
  const lastTokens = values.dry_penalty_last_n ?? -1;
  const sequenceBreakers = values.dry_sequence_breakers ?? null;
  return {
    multiplier,
    ...(base !== null && { base }),
    ...(allowedLength !== null && { allowedLength }),
    // The core says "all" by leaving the number out.
    ...(lastTokens >= 0 && { lastTokens }),
    ...(sequenceBreakers !== null && { sequenceBreakers }),
  };
}
