import type { MetadataEntry } from '../../gguf/header.ts';
import { writeGguf } from '../../gguf/write-gguf.ts';
import { type Qwen2Size, qwen2Metadata, qwen2Tensors } from './qwen2.ts';
import type { QuantizedType } from './weights.ts';

/**
 * Writes a Qwen2 model with random weights to `filePath`, a mebibyte at a time, under another name until it is whole.
 * Returns its size in bytes. The same arguments give the same bytes.
 */
export async function writeModel(options: {
  filePath: string;
  size: Qwen2Size;
  type: QuantizedType;
  tokenizer: readonly MetadataEntry[];
  seed: number;
}): Promise<number> {
  const { filePath, size, type, tokenizer, seed } = options;
  return await writeGguf({
    filePath,
    metadata: [...qwen2Metadata(size, type), ...tokenizer],
    tensors: qwen2Tensors(size, type, seed),
  });
}
