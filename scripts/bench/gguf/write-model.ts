import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { aligned, ggufHeader, type MetadataEntry } from './header.ts';
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
  const tensors = qwen2Tensors(options.size, options.type, options.seed);
  const header = ggufHeader(
    [...qwen2Metadata(options.size, options.type), ...options.tokenizer],
    tensors.map(({ entry }) => entry),
  );
  await mkdir(dirname(options.filePath), { recursive: true });
  const partPath = `${options.filePath}.${process.pid}.part`;
  const file = await open(partPath, 'w');
  let sizeBytes = 0;
  const write = async (bytes: Buffer) => {
    await file.writeFile(bytes);
    sizeBytes += bytes.length;
  };
  try {
    await write(header);
    for (const tensor of tensors) {
      for (const piece of tensor.pieces()) await write(piece);
      await write(Buffer.alloc(aligned(tensor.sizeBytes) - tensor.sizeBytes));
    }
    await file.close();
    await rename(partPath, options.filePath);
  } catch (error) {
    await file.close().catch(() => {
      // Closed before; what failed is thrown below.
    });
    await rm(partPath, { force: true });
    throw error;
  }
  return sizeBytes;
}
