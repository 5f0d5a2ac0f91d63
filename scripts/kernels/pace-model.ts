import { join } from 'node:path';
import type { Qwen2Size } from '../bench/gguf/qwen2.ts';
import { quantizedTypes } from '../bench/gguf/weights.ts';
import { writeModel } from '../bench/gguf/write-model.ts';
import { syntheticTokenizer } from '../gguf/synthetic-tokenizer.ts';

/** The built-in model lies in the caches of a processor and says little; this one has to be fetched from memory. */
const size: Qwen2Size = {
  name: 'pace',
  layers: 16,
  width: 896,
  heads: 14,
  kvHeads: 2,
  feedForward: 4864,
  vocabulary: 16_384,
  contextTokens: 2_048,
  ropeBase: 1_000_000,
};

/** Writes a model of 0.25 B random weights in Q4_0, 0.14 GB, to measure with; returns its path. */
export async function writePaceModel(folder: string): Promise<string> {
  const filePath = join(folder, 'pace.gguf');
  const tokenizer = syntheticTokenizer(size.vocabulary);
  await writeModel({ filePath, size, type: quantizedTypes.q4_0, tokenizer, seed: 1 });
  return filePath;
}
