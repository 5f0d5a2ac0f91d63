import { AppError } from '../../core/errors.ts';

/**
 * What a GGUF header may claim. Every bound is far above what published models use (the largest vocabularies have
 * about 262,000 tokens, the largest models some thousand tensors) and low enough that a hostile file costs neither
 * memory nor time.
 */
export const ggufLimits = {
  metadataEntries: 16_384,
  keyBytes: 1_024,
  /** Chat templates are the longest strings in practice. */
  stringBytes: 16 * 2 ** 20,
  arrayElements: 64 * 2 ** 20,
  /** Texts have to be walked one by one; vocabularies and merges are the only long lists. */
  textArrayElements: 4 * 2 ** 20,
  /** Everything in front of the tensor data; with 262,000 tokens it is 16 MB. */
  headerBytes: 64 * 2 ** 20,
  tensors: 65_535,
  /** llama.cpp keeps names in 64 bytes, the last one zero. */
  tensorNameBytes: 63,
  dimensions: 4,
  alignmentBytes: 2 ** 20,
  vocabularyTokens: 4 * 2 ** 20,
  /** llama.cpp stops at 512 layers. */
  blocks: 512,
  contextTokens: 2 ** 28,
  splitParts: 64,
} as const;

/**
 * The error for a file that is not a usable model. `reason` is a stable snake_case code for programs, `message` a
 * sentence for people without any path in it.
 */
export function invalidModelFile(reason: string, message: string, cause?: unknown): AppError {
  return new AppError('invalid_model_file', message, { details: { reason }, ...(cause !== undefined && { cause }) });
}
