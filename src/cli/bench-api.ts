import { z } from 'zod';

/** What `hearth bench` reads of the native API. */

/** A model as far as a measurement needs it. */
export const benchModel = z.looseObject({
  name: z.string(),
  quantization: z.string(),
  state: z.string(),
  context_length_loaded: z.number().nullable(),
  slots: z.number().nullable(),
  threads: z.number().nullable(),
  kernels: z
    .object({
      name: z.string(),
      built_here: z.boolean(),
      gain_of_built: z
        .object({ prompt: z.number(), decode: z.number(), measured_here: z.boolean() })
        .nullable()
        .default(null),
    })
    .nullable()
    .default(null),
  advice: z.looseObject({ message: z.string() }).nullable().default(null),
  gpu: z.string().nullable(),
  gpu_device: z.string().nullable(),
  load_ms: z.number().nullable(),
});
export type BenchModel = z.output<typeof benchModel>;

export const benchModelPath = (name: string) => `/models/${encodeURIComponent(name)}`;
export const benchLoadPath = (name: string) => `${benchModelPath(name)}/load`;
export const benchLoad = z.looseObject({ model: benchModel });

/** An item of `POST /generate/stream`, or the error that ends it. */
export const streamItem = z.union([
  z.looseObject({ error: z.looseObject({ message: z.string() }) }),
  z.looseObject({
    finished: z.boolean(),
    usage: z
      .looseObject({
        prompt_tokens: z.number().nullable(),
        completion_tokens: z.number().nullable(),
        cached_prompt_tokens: z.number().nullable(),
      })
      .optional(),
  }),
]);

export const runningRequests = z.object({ requests: z.array(z.looseObject({ request_id: z.string() })) });

/** One answer that is made to be timed. */
export interface TimedWish {
  model: string;
  prompt: string;
  /** Exactly so many. */
  tokens: number;
}

/** When its tokens came, since it was asked for. */
export interface TimedAnswer {
  firstTokenMs: number;
  lastTokenMs: number;
  promptTokens: number;
  /** Of the prompt, those that were not computed again. */
  cachedTokens: number;
  tokens: number;
}
