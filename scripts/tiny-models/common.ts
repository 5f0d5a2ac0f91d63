import type { MetadataEntry } from '../gguf/header.ts';
import type { PlannedTensor } from '../gguf/write-gguf.ts';
import type { TinyTokenizer } from './tokenizers.ts';

/** What one file holds. */
export interface TinyFile {
  metadata: readonly MetadataEntry[];
  tensors: readonly PlannedTensor[];
}

/** Tokens that every tiny model was "trained" with. */
export const contextTokens = 1024;

/** Values per token, of all tiny models. A multiple of 32, as quantized rows are made of blocks of 32. */
export const width = 64;

/** Weighs down all that is no word: see `TinyTokenizer.words`. */
export function wordsFirst({ words }: TinyTokenizer): (token: number) => number {
  return (token) => (token >= words.first && token <= words.last ? 1 : 0.05);
}
