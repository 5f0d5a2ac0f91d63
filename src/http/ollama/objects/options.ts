import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Sampling } from '../../../core/chat.ts';
import { addIgnored } from '../../answer/answer.ts';
import { samplingFields, stopField, toSampling, toStop } from '../../fields/sampling.ts';

const maxInt32 = 2 ** 31 - 1;
/** Ollama's own, for penalties that come without a window. */
const defaultPenaltyTokens = 64;

const { temperature, top_p, top_k, min_p, seed, repeat_penalty, frequency_penalty, presence_penalty } = samplingFields;

/** What changes an answer. Whatever else a client sets is named in `x-hearth-ignored`. */
export const honoured = {
  num_ctx: z.int().min(0).max(maxInt32).nullish().meta({ description: 'Context that the model is to have, at least.' }),
  num_predict: z.int().min(-2).max(maxInt32).nullish().meta({ description: 'Most tokens; 0 and below: no limit.' }),
  temperature: temperature.nullish(),
  top_p: top_p.nullish(),
  top_k: top_k.nullish(),
  min_p: min_p.nullish(),
  typical_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .meta({ description: 'Keep tokens about as surprising as expected, up to this share; 1: off.' }),
  seed: seed.nullish().meta({ description: '-1: another one each time.' }),
  repeat_penalty: repeat_penalty.nullish(),
  repeat_last_n: z
    .int()
    .min(-1)
    .max(maxInt32)
    .nullish()
    .meta({ description: 'Tokens that penalties look at; -1: all.' }),
  frequency_penalty: frequency_penalty.nullish(),
  presence_penalty: presence_penalty.nullish(),
  stop: stopField.nullish(),
};

export const optionsField = z
  .looseObject(honoured)
  .nullish()
  .meta({ description: 'Settings of the answer; those that make no difference here are named in x-hearth-ignored.' });

export type Options = z.infer<typeof optionsField>;

/** Options of a body in the words of the core. */
export interface CoreOptions {
  sampling: Sampling;
  stop: string[];
  maxTokens?: number;
  contextTokens?: number;
}

export function toCoreOptions(options: Options): CoreOptions {
  const given = options ?? {};
  const predict = given.num_predict ?? 0;
  const context = given.num_ctx ?? 0;
  return {
    sampling: {
      ...toSampling({ ...pick(given), ...(given.seed === -1 && { seed: null }) }),
      ...((given.typical_p ?? 1) < 1 && { typicalP: given.typical_p! }),
      ...toPenaltyWindow(given),
    },
    stop: toStop(given.stop),
    ...(predict > 0 && { maxTokens: predict }),
    ...(context > 0 && { contextTokens: context }),
  };
}

/** Only the fields that the shared mapping is to see: the object may hold others of the same names as ours. */
function pick(given: NonNullable<Options>) {
  const { temperature, top_p, top_k, min_p, seed, repeat_penalty, frequency_penalty, presence_penalty } = given;
  return { temperature, top_p, top_k, min_p, seed, repeat_penalty, frequency_penalty, presence_penalty };
}

function toPenaltyWindow(given: NonNullable<Options>): Sampling {
  const penalties = [given.repeat_penalty ?? 1, 1 + (given.frequency_penalty ?? 0), 1 + (given.presence_penalty ?? 0)];
  if (penalties.every((penalty) => penalty === 1)) return {};
  const tokens = given.repeat_last_n ?? defaultPenaltyTokens;
  return tokens < 0 ? {} : { penaltyTokens: tokens };
}

/** A `preHandler` hook that names the options of a body that change nothing here. */
export async function namesIgnoredOptions({ body }: FastifyRequest, reply: FastifyReply): Promise<void> {
  addIgnored(reply, ignoredOptions(body, 'options'));
}

/** Names of what a body has in the object of that field and what changes nothing here. */
export function ignoredOptions(body: unknown, field: 'options' | 'parameters'): string[] {
  const options: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, field) : null;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return [];
  return Object.entries(options).flatMap(([name, value]) =>
    value === null || Object.hasOwn(honoured, name) ? [] : [`${field}.${name}`],
  );
}
