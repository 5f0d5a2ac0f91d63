import { z } from 'zod';
import type { Sampling } from '../../core/chat.ts';
import { type ExtraSamplingValues, toExtraSampling } from './sampling-extras.ts';

const maxInt32 = 2 ** 31 - 1;

/** Sampling fields under the names that every dialect of ours shares; a dialect says which it takes, and if null is allowed. */
export const samplingFields = {
  temperature: z.number().min(0).max(2).meta({ description: '0 always takes the likeliest token.' }),
  top_p: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'Keep the likeliest tokens up to this share of probability; 0: only the likeliest.' }),
  top_k: z.int().min(-1).max(maxInt32).meta({ description: 'Keep this many of the likeliest tokens; 0 or -1: all.' }),
  min_p: z.number().min(0).max(1).meta({ description: 'Drop tokens less likely than this share of the likeliest.' }),
  seed: z.int().min(Number.MIN_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER).meta({
    description: 'Same seed, same answer. Taken modulo 2^32.',
  }),
  repeat_penalty: z
    .number()
    .gt(0)
    .max(10)
    .meta({ description: 'Multiplicative penalty for repeated tokens; 1 is off.' }),
  frequency_penalty: z.number().min(-2).max(2),
  presence_penalty: z.number().min(-2).max(2),
};

/** Upper bound of generated tokens. */
export const maxTokensField = z.int().min(1).max(maxInt32);

/** An empty one stops nothing; clients with a form field for it send it all the same. */
const stopString = z.string().max(256);

/** One stop string, or up to 16. */
export const stopField = z.union([stopString, z.array(stopString).max(16)]).meta({
  description: 'Text that ends the answer and is not part of it: one string or up to 16.',
});

/** The values of `samplingFields` and of the extras, as a body may hold them. */
type SamplingValues = {
  [Name in keyof typeof samplingFields]?: number | null | undefined;
} & ExtraSamplingValues;

type NumberOption = { [Name in keyof Sampling]-?: number extends Sampling[Name] ? Name : never }[keyof Sampling];

/** Sampling in the words of the core; null and absent both mean the provider's default. */
export function toSampling(values: SamplingValues): Sampling {
  const sampling = toExtraSampling(values);
  const set = (name: NumberOption, value: number | null | undefined) => {
    if (value !== null && value !== undefined) sampling[name] = value;
  };
  set('temperature', values.temperature);
  // A share of nothing still holds the first.
  if (values.top_p === 0) set('topK', 1);
  else {
    set('topP', values.top_p);
    set('topK', values.top_k === -1 ? 0 : values.top_k);
  }
  set('minP', values.min_p);
  set('repeatPenalty', values.repeat_penalty);
  set('frequencyPenalty', values.frequency_penalty);
  set('presencePenalty', values.presence_penalty);
  if (values.seed !== null && values.seed !== undefined) sampling.seed = wrapSeed(values.seed);
  return sampling;
}

/** Stop strings as a list, without empty ones. */
export function toStop(stop: string | string[] | null | undefined): string[] {
  return [stop ?? []].flat().filter((text) => text !== '');
}

/** Any safe integer to 0 … 2^32 - 1; negative ones count from the top, as two's complement does. */
function wrapSeed(seed: number): number {
  const range = 2 ** 32;
  return ((seed % range) + range) % range;
}
