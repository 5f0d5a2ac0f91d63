import {
  getLlama,
  type Llama,
  LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
  NoBinaryFoundError,
  type Token,
  type TokenMeter,
} from 'node-llama-cpp';
import { AppError } from '../../core/errors.ts';
import type { WorkerOptions } from '../ipc/protocol.ts';

/** Tries the wished backends in turn and ends on the CPU, with the reason why a GPU that was asked for is not used. */
export async function startLibrary(options: WorkerOptions): Promise<{ llama: Llama; gpuReason: string | null }> {
  const start = (gpu: false | 'cuda' | 'vulkan' | 'metal') =>
    getLlama({
      gpu,
      // Never compile or fetch anything on a user's machine.
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      maxThreads: options.maxThreads,
      numa: false,
      logLevel: LlamaLogLevel.warn,
      // stdout is nobody's; stderr is kept by the parent for its log.
      logger: (level, message) => process.stderr.write(`${level}: ${message.trimEnd()}\n`),
    });
  const reasons: string[] = [];
  const wished: ('cuda' | 'vulkan' | 'metal')[] =
    options.gpu === 'off' ? [] : options.gpu === 'auto' ? ['cuda', 'metal', 'vulkan'] : [options.gpu];
  for (const gpu of wished) {
    try {
      return { llama: await start(gpu), gpuReason: null };
    } catch (error) {
      process.stderr.write(`gpu ${gpu}: ${String(error)}\n`);
      reasons.push(`${gpu}: ${error instanceof NoBinaryFoundError ? 'no usable binary or driver' : 'failed to start'}`);
    }
  }
  try {
    return { llama: await start(false), gpuReason: reasons.length === 0 ? null : reasons.join('; ') };
  } catch (error) {
    throw loadFailure('The inference library has no binary that runs on this machine.', 'no_binary', error);
  }
}

/** Loads the model file; the memory was planned before. Throws `model_load_failed`. */
export async function loadModel(llama: Llama, options: WorkerOptions): Promise<LlamaModel> {
  try {
    return await llama.loadModel({
      modelPath: options.modelPath,
      useMmap: options.useMmap,
      gpuLayers: llama.gpu === false ? 0 : 'auto',
      // The library's free-memory figure knows neither containers nor the page cache; the server planned before.
      ignoreMemorySafetyChecks: true,
    });
  } catch (error) {
    throw loadFailure('The inference library cannot load this model file.', 'native_load', error);
  }
}

/** A failure of the library: what an operator can do goes to the client, the native text stays the cause. */
export function loadFailure(message: string, reason: string, cause: unknown): AppError {
  return new AppError('model_load_failed', message, { details: { reason }, cause });
}

/**
 * Whether the installed library carries our two-line mend of its speculative evaluation (`patches/`). As published, the
 * list of verified tokens is read but never filled, so the second guess of a step always counts as refuted.
 */
export function acceptsSeveralGuesses(): boolean {
  const evaluate: unknown = Reflect.get(LlamaContextSequence.prototype, '_speculativeEvaluate');
  return typeof evaluate === 'function' && evaluate.toString().includes('validatedTokens.push(');
}

/** Not public: what the library's own evaluations end in. Looked for, never taken for granted. */
interface DecodeSource {
  _decodeTokens?: (
    tokens: Token[],
    logits: boolean[],
    evaluationPriority: number,
    tokenMeter: TokenMeter,
    contextShift: object,
    mapLogits: () => undefined,
  ) => Promise<unknown>;
}

/**
 * Evaluates tokens at the end of a sequence and samples nothing, so that a step can be timed alone. Null where the library
 * has no such function. Not beside another call on the sequence, and the tokens have to fit: more would push out old ones.
 */
export function findEvaluateOnly(native: LlamaContextSequence) {
  const source: DecodeSource = native as DecodeSource;
  if (typeof source._decodeTokens !== 'function') return null;
  return async (slot: number, tokens: Token[], logits: 'all' | 'last'): Promise<void> => {
    const wanted = tokens.map((_, index) => logits === 'all' || index === tokens.length - 1);
    await source._decodeTokens!(tokens, wanted, slot, native.tokenMeter, {}, () => undefined);
  };
}
