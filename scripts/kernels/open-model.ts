import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LlamaContextSequence, LlamaModel } from 'node-llama-cpp';

/** A model of the library below a root, on processor alone. */
export interface LoadedModel {
  model: LlamaModel;
  /** Path of the kernels that the library took; null when it has none to choose from. */
  kernels: string | null;
}

/** A model that can run. */
export interface OpenModel extends LoadedModel {
  sequence: LlamaContextSequence;
}

/** Loads a model with the library below `root`. A process keeps the kernels that it has: others need another process. */
export async function loadModel(root: string, modelPath: string, threads: number): Promise<LoadedModel> {
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
  const [, kernels = null] = /(\/.*\/libggml-cpu-[^/]+\.so)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [];
  return { model, kernels };
}

/** Loads a model as `loadModel` does and makes it ready for a conversation, on two threads unless told otherwise. */
export async function openModel(root: string, modelPath: string, threads = 2): Promise<OpenModel> {
  const { model, kernels } = await loadModel(root, modelPath, threads);
  const context = await model.createContext({ contextSize: 1024, batchSize: 256, threads, flashAttention: true });
  return { model, sequence: context.getSequence(), kernels };
}
