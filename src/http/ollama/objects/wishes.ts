import { z } from 'zod';
import type { ChatRequest } from '../../../core/chat.ts';
import { AppError } from '../../../core/errors.ts';
import { needsTrue } from '../../fields/exclusions.ts';
import type { FieldNames } from '../../fields/field-names.ts';
import { keepAliveField, parseKeepAlive } from '../../fields/keep-alive.ts';
import { modelFields, modelOf, streamField } from './names.ts';
import { optionsField, toCoreOptions } from './options.ts';

/** Fields that chats and single prompts have in common. */
export const commonFields = {
  ...modelFields,
  stream: streamField,
  format: z
    .union([z.enum(['json', '']), z.record(z.string(), z.unknown())], { error: 'only "json" or a JSON Schema' })
    .nullish()
    .meta({ description: '"json", or a JSON Schema that the answer keeps to.' }),
  think: z
    .union([z.boolean(), z.enum(['low', 'medium', 'high', 'max'])], {
      error: 'only true, false, "low", "medium", "high" or "max"',
    })
    .nullish()
    .meta({ description: 'Whether and how much the model thinks; left out: as it does by itself.' }),
  keep_alive: keepAliveField.nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  truncate: z.boolean().nullish(),
  shift: z.boolean().nullish(),
  options: optionsField,
};

/** What the schema of a body says of `top_logprobs` without `logprobs`. */
export const loneLogprobs = needsTrue('top_logprobs', [0, null], 'logprobs');

const common = z.object(commonFields);
type CommonBody = z.infer<typeof common>;

/** What the common fields say, in the words of the core. */
export function toCoreWishes(body: CommonBody): Omit<ChatRequest, 'input'> {
  const { sampling, stop, maxTokens } = toCoreOptions(body.options);
  const format = body.format ?? '';
  const think = body.think ?? null;
  if (!body.logprobs && (body.top_logprobs ?? 0) > 0) {
    throw new AppError('invalid_request', '"top_logprobs" needs "logprobs": true.', { field: 'top_logprobs' });
  }
  return {
    model: modelOf(body),
    sampling,
    stop,
    ...(maxTokens !== undefined && { maxTokens }),
    ...(format === 'json' && { format: { type: 'json' } }),
    ...(typeof format === 'object' && { format: { type: 'json-schema', schema: format } }),
    ...(think !== null && {
      reasoning: think === false ? { mode: 'off' } : { mode: 'on', ...(think !== true && { effort: think }) },
    }),
    ...(body.logprobs && { logprobs: { top: body.top_logprobs ?? 0 } }),
    ...toKeepAlive(body),
  };
}

export function toKeepAlive({ keep_alive }: Pick<CommonBody, 'keep_alive'>): { keepAliveMs?: number } {
  return keep_alive === null || keep_alive === undefined ? {} : { keepAliveMs: parseKeepAlive(keep_alive) };
}

/** What this dialect calls the fields of the core. */
export const commonNames: FieldNames = {
  keepAliveMs: 'keep_alive',
  format: 'format',
  reasoning: 'think',
  'logprobs.top': 'top_logprobs',
  maxTokens: 'options.num_predict',
  stop: 'options.stop',
  'sampling.temperature': 'options.temperature',
  'sampling.topP': 'options.top_p',
  'sampling.topK': 'options.top_k',
  'sampling.minP': 'options.min_p',
  'sampling.typicalP': 'options.typical_p',
  'sampling.seed': 'options.seed',
  'sampling.repeatPenalty': 'options.repeat_penalty',
  'sampling.penaltyTokens': 'options.repeat_last_n',
  'sampling.frequencyPenalty': 'options.frequency_penalty',
  'sampling.presencePenalty': 'options.presence_penalty',
};
