import type { CpuKernels } from '../core/machine.ts';

/** The ways to a GPU that the inference library has. */
export type GpuBackend = 'cuda' | 'vulkan' | 'metal';

/** What of a model goes onto a GPU, decided by the server. */
export interface WorkerGpu {
  backend: GpuBackend;
  /** As llama.cpp counts them: the output first, then the layers from the last to the first. At least 1. */
  layers: number;
  /** Video memory that the model will take; with less of it free, the load fails with `details.reason` `gpu_memory`. */
  bytes: number;
}

/** What the library says of a backend in a process of its own. */
export interface GpuProbeReport {
  /** One name a device, in the library's order; empty when the backend starts but sees no device. */
  deviceNames: string[];
  /** Video memory of all of them together. */
  totalBytes: number;
  freeBytes: number;
  /** How much of it is the machine's own memory. */
  unifiedBytes: number;
  /** What it took for the processor; left out: it has none to choose from, or nobody can tell. */
  kernels?: CpuKernels;
}
