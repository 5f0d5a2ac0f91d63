import { z } from 'zod';

/** A GPU that the inference library has started on, in a process of its own. */
export const gpuDevice = z.object({
  backend: z.enum(['cuda', 'vulkan', 'metal']),
  /** As the driver names it. */
  name: z.string(),
  /** `integrated` and `software` devices have no memory of their own: they use the machine's. */
  kind: z.enum(['discrete', 'integrated', 'software']),
  totalBytes: z.number().int().nonnegative(),
  /** When it was probed. */
  freeBytes: z.number().int().nonnegative(),
  /** Variables by which a process sees this device and no other; empty where there is only one. */
  environment: z.record(z.string(), z.string()),
});

export type GpuDevice = z.infer<typeof gpuDevice>;

/** What is asked for: `auto` as configured by default, `prefer` also takes an integrated GPU. */
export type GpuWish = 'off' | 'auto' | 'prefer' | GpuDevice['backend'];

/** What `prefer_gpu` of a load makes of the configured wish; undefined leaves it. A backend chosen by name stays chosen. */
export function gpuWish(configured: GpuWish, preferGpu: boolean | undefined): GpuWish {
  if (preferGpu === undefined) return configured;
  if (!preferGpu) return 'off';
  return configured === 'off' || configured === 'auto' ? 'prefer' : configured;
}
