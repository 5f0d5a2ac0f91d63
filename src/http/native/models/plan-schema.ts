import { z } from 'zod';
import { count as bytes } from '../../fields/answer-values.ts';
import { wholeNumber } from '../../fields/query-values.ts';

const expectedBytes = z
  .object({
    mapped_weights: bytes.meta({ description: 'Pages of the file that the kernel can drop.' }),
    weights: bytes,
    repacked_weights: bytes.meta({ description: "Copies in the order of this CPU's kernels." }),
    kv_cache: bytes,
    compute: bytes.meta({ description: 'Touched by the first long prompt.' }),
    vocabulary: bytes,
    process: bytes,
    correction: z.int().meta({ description: 'What an earlier load took beyond the estimate; may be negative.' }),
    at_load: bytes,
    total: bytes,
  })
  .meta({ id: 'ExpectedBytes' });

/** Settings of a load. */
export const nativePlan = z
  .object({
    context_length: z.int().meta({ description: 'Tokens of one slot.' }),
    parallel: z.int(),
    batch_size: z.int(),
    threads: z.int(),
    gpu_layers: z.int(),
    gpu_memory_bytes: z.int().meta({ description: 'Video memory that these layers take.' }),
    mmap: z.boolean(),
    kv_cache_type: z.string().meta({ examples: ['f16', 'q8_0'] }),
    flash_attention: z.boolean(),
    expected_memory: z.string().meta({ examples: ['1.2GB'] }),
    expected_bytes: expectedBytes,
    notes: z.array(z.string()).meta({ description: 'What was changed against the wish or the default.' }),
  })
  .meta({ id: 'Plan' });

const shortage = z
  .object({
    needed_bytes: bytes,
    available_bytes: bytes,
    shortfall_bytes: bytes,
    nearest: z
      .object({ context_length: z.int(), parallel: z.int(), needed_bytes: bytes })
      .nullable()
      .meta({ description: 'Settings that would fit although they are not what was asked for.' }),
    message: z.string(),
  })
  .meta({ id: 'MemoryShortage' });

export const planAnswer = z
  .object({
    model: z.string(),
    quantization: z.string(),
    fits: z.boolean(),
    plan: nativePlan.nullable(),
    shortage: shortage.nullable(),
    budget: z.object({
      total_bytes: bytes,
      available_bytes: bytes,
      reclaimable_bytes: bytes.meta({ description: 'What ending idle models would free.' }),
      source: z.string().meta({ examples: ['host', 'cgroup-v2'] }),
    }),
  })
  .meta({ id: 'PlanResponse' });

/** How keys and values are kept. */
export const kvCacheType = z.enum(['f16', 'q8_0'], { error: 'must be f16 or q8_0' }).meta({
  description: 'Cache of 16 bits or of 8, in half the memory; left out: 16, and 8 where it does not fit otherwise.',
});

/** The settings of a load that change its plan. */
export const planQuery = z.strictObject({
  quantization: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,32}$/, { error: 'not a quantization label such as q4_0, or auto' })
    .optional(),
  context_length: wholeNumber(16, 16_777_216).optional(),
  parallel: wholeNumber(1, 32).optional(),
  kv_cache_type: kvCacheType.optional(),
  prefer_gpu: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .optional(),
});

export type PlanQuery = z.output<typeof planQuery>;
