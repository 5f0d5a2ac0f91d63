import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp';

/** A model that runs with the library below a root, on processor alone. */
export interface OpenModel {
  model: LlamaModel;
  sequence: LlamaContextSequence;
  /** Path of the kernels that the library took; null when it has none to choose from. */
  kernels: string | null;
}

/**
 * Loads a model with the library below `root`, on two threads unless told otherwise. A process keeps the kernels that it has:
 * others need another process.
 */
export async function openModel(root: string, modelPath: string, threads = 2): Promise<OpenModel> {
  const entry = createRequire(join(root, 'package.json')).resolve('node-llama-cpp');
  const { getLlama } = (await import(pathToFileURL(entry).href)) as typeof import('node-llama-cpp');
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    progressLogs: false,
    maxThreads: threads,
  });
  const model = await llama.loadModel({ modelPath, gpuLayers: 0, ignoreMemorySafetyChecks: true });
  const context = await model.createContext({ contextSize: 1024, batchSize: 256, threads, flashAttention: true });
  const [, kernels = null] = /(\/.*\/libggml-cpu-[^/]+\.so)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
  return { model, sequence: context.getSequence(), kernels };
}
