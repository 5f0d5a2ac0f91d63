import { z } from 'zod';
import { cachePromptField } from '../../fields/cache-prompt.ts';
import { keepAliveField } from '../../fields/keep-alive.ts';
import { modelNameField } from '../../fields/model-name.ts';
import { maxTokensField, samplingFields, stopField } from '../../fields/sampling.ts';
import { extraSamplingFields } from '../../fields/sampling-extras.ts';
import { refusedFields } from './refused-fields.ts';
import { formatFields } from './response-format.ts';

/** llama.cpp's clients write "as many as there is room for" as -1. */
export const openMaxTokens = z
  .union([z.literal(-1), maxTokensField])
  .nullish()
  .meta({ description: 'At most this many tokens; -1: until the end of the context.' });

/** Sampling beyond temperature and top_p, as every endpoint that generates has it; null means absent. */
export const moreSamplingFields = {
  top_k: samplingFields.top_k.nullish(),
  min_p: samplingFields.min_p.nullish(),
  seed: samplingFields.seed.nullish(),
  repeat_penalty: samplingFields.repeat_penalty.nullish(),
  frequency_penalty: samplingFields.frequency_penalty.nullish(),
  presence_penalty: samplingFields.presence_penalty.nullish(),
  logit_bias: extraSamplingFields.logit_bias.nullish(),
  ignore_eos: extraSamplingFields.ignore_eos.nullish(),
  min_tokens: extraSamplingFields.min_tokens.nullish(),
  xtc_probability: extraSamplingFields.xtc_probability.nullish(),
  xtc_threshold: extraSamplingFields.xtc_threshold.nullish(),
  dry_multiplier: extraSamplingFields.dry_multiplier.nullish(),
  dry_base: extraSamplingFields.dry_base.nullish(),
  dry_allowed_length: extraSamplingFields.dry_allowed_length.nullish(),
  dry_penalty_last_n: extraSamplingFields.dry_penalty_last_n.nullish(),
  dry_sequence_breakers: extraSamplingFields.dry_sequence_breakers.nullish(),
};

/**
 * Fields that chat and completions have. Fields that we do not know are dropped and named in a header, and null means
 * absent. What OpenAI has and would bind the answer is accepted here and refused by name in `to-core.ts`.
 */
export const commonFields = {
  model: modelNameField.nullish(),
  temperature: samplingFields.temperature.nullish(),
  top_p: samplingFields.top_p.nullish(),
  ...moreSamplingFields,
  max_tokens: openMaxTokens,
  n_predict: openMaxTokens.meta({ description: "llama.cpp's name for max_tokens." }),
  ...formatFields,
  ...refusedFields,
  stop: stopField.nullish(),
  n: z.int().min(1).max(8).nullish().meta({ description: 'How many answers; the prompt is computed once.' }),
  stream: z.boolean().nullish(),
  stream_options: z
    .object({
      include_usage: z.boolean().nullish(),
      include_obfuscation: z.boolean().nullish().meta({ description: 'Ignored: streams are not padded.' }),
    })
    .nullish(),
  user: z.string().max(1024).nullish().meta({ description: 'Ignored.' }),
  return_progress: z
    .boolean()
    .nullish()
    .meta({ description: 'With stream: chunks with prompt_progress tell how far the prompt is read.' }),
  keep_alive: keepAliveField.nullish(),
  cache_prompt: cachePromptField.nullish(),
};

/** The values of `commonFields`, as a body may hold them. */
export type CommonValues = z.infer<z.ZodObject<typeof commonFields>>;
