/** The library: a model that writes, a model that makes vectors or scores, a look at a GPU, and what it took for the processor. */
export { createEmbeddingRuntime, type EmbeddingRuntime } from './embedding-runtime.ts';
export { probeBackend } from './gpu-probe.ts';
export { loadedKernels } from './kernels.ts';
export { createRuntime, type Runtime } from './runtime.ts';
