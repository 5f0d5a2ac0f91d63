import { getLlama, type Llama, LlamaLogLevel, type LlamaModel, NoBinaryFoundError } from 'node-llama-cpp';
import { AppError } from '../../core/errors.ts';
import type { GpuBackend } from '../../ipc/gpu.ts';
import type { WorkerOptions } from '../../ipc/protocol.ts';

/**
 * Starts the library on exactly one backend. Nothing else is tried in the same process: falling back after an
 * incompatible driver has crashed there (withcatai/node-llama-cpp#554).
 * `gpu`: null for the CPU. Throws `model_load_failed` with reason `no_binary` or `gpu_start`.
 */
export async function startBackend(gpu: GpuBackend | null, maxThreads: number): Promise<Llama> {
  let llama: Llama;
  try {
    llama = await getLlama({
      gpu: gpu ?? false,
      // Never compile or fetch anything on a user's machine.
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads,
      numa: false,
      logLevel: LlamaLogLevel.warn,
      // stdout is nobody's; stderr is kept by the parent for its log.
      logger: (level, message) => process.stderr.write(`${level}: ${message.trimEnd()}\n`),
    });
  } catch (error) {
    if (gpu === null) {
      throw loadFailure('The inference library has no binary that runs on this machine.', 'no_binary', error);
    }
    const what = error instanceof NoBinaryFoundError ? 'has no usable binary, driver or runtime' : 'does not start';
    throw loadFailure(`${gpu} ${what} here`, 'gpu_start', error);
  }
  // Metal asked for on another system gives whatever there is.
  if (llama.gpu !== (gpu ?? false))
    throw loadFailure(`${gpu} has no usable binary, driver or runtime here`, 'gpu_start', null);
  return llama;
}

/**
 * The library for a model. Throws `model_load_failed`; with reason `gpu_device` when the backend sees no device, with
 * `gpu_memory` and `free_bytes` when less video memory is free than the plan counts on.
 */
export async function startLibrary(options: WorkerOptions): Promise<Llama> {
  const { gpu } = options;
  const llama = await startBackend(gpu?.backend ?? null, options.maxThreads);
  if (gpu === null) return llama;
  if (!llama.supportsGpuOffloading) throw loadFailure(`${gpu.backend} sees no device`, 'gpu_device', null);
  const { free } = await llama.getVramState();
  if (free < gpu.bytes) {
    throw new AppError('model_load_failed', `${gpu.backend} has too little free video memory`, {
      details: { reason: 'gpu_memory', needed_bytes: gpu.bytes, free_bytes: free },
    });
  }
  return llama;
}

/** Loads the model file; the memory was planned before. Throws `model_load_failed`. */
export async function loadModel(llama: Llama, options: WorkerOptions): Promise<LlamaModel> {
  try {
    return await llama.loadModel({
      modelPath: options.modelPath,
      useMmap: options.useMmap,
      gpuLayers: options.gpu?.layers ?? 0,
      // The library's free-memory figure knows neither containers nor the page cache; the server planned before.
      ignoreMemorySafetyChecks: true,
    });
  } catch (error) {
    throw loadFailure('The inference library cannot load this model file.', 'native_load', error);
  }
}

/** A failure of the library: what an operator can do goes to the client, its own words stay the cause. */
export function loadFailure(message: string, reason: string, cause: unknown): AppError {
  return new AppError('model_load_failed', message, { details: { reason }, cause });
}
