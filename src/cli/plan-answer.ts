import { z } from 'zod';

const partsOfMemory = [
  'mapped_weights',
  'weights',
  'repacked_weights',
  'kv_cache',
  'compute',
  'vocabulary',
  'process',
  'correction',
  'at_load',
  'total',
] as const;

/** `GET /models/{name}/plan`: what is printed of it, by name; all of it is kept for `--json`. Memory in bytes. */
export const planAnswer = z.looseObject({
  model: z.string(),
  quantization: z.string(),
  fits: z.boolean(),
  plan: z
    .looseObject({
      context_length: z.number(),
      parallel: z.number(),
      batch_size: z.number(),
      threads: z.number(),
      gpu_layers: z.number(),
      mmap: z.boolean(),
      kv_cache_type: z.string(),
      expected_bytes: z.record(z.enum(partsOfMemory), z.number()),
      notes: z.array(z.string()),
    })
    .nullable(),
  shortage: z
    .looseObject({
      needed_bytes: z.number(),
      available_bytes: z.number(),
      shortfall_bytes: z.number(),
      nearest: z.looseObject({ context_length: z.number(), parallel: z.number(), needed_bytes: z.number() }).nullable(),
    })
    .nullable(),
  budget: z.looseObject({
    total_bytes: z.number(),
    available_bytes: z.number(),
    reclaimable_bytes: z.number(),
    source: z.string(),
  }),
});

export type PlanAnswer = z.output<typeof planAnswer>;

/** Settings that `hearth plan` tries, as they were written. */
export interface PlanWish {
  quantization?: string;
  contextLength?: string;
  parallel?: string;
}

/** The path of a plan, with the settings that are to be tried. */
export function planPath(name: string, wish: PlanWish): string {
  const query = new URLSearchParams({
    ...(wish.quantization !== undefined && { quantization: wish.quantization }),
    ...(wish.contextLength !== undefined && { context_length: wish.contextLength }),
    ...(wish.parallel !== undefined && { parallel: wish.parallel }),
  });
  return `/models/${encodeURIComponent(name)}/plan?${query}`;
}
