/** The library: a model that writes, a model that makes vectors or scores, and a look at a GPU. */
export { createEmbeddingRuntime, type EmbeddingRuntime } from './embedding-runtime.ts';
export { probeGpu } from './gpu-probe.ts';
export { createRuntime, type Runtime } from './runtime.ts';
