import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { halfBillion, type Qwen2Size } from '../../scripts/bench/gguf/qwen2.ts';
import { quantizedTypes } from '../../scripts/bench/gguf/weights.ts';
import { writeModel } from '../../scripts/bench/gguf/write-model.ts';
import { syntheticTokenizer } from '../../scripts/gguf/synthetic-tokenizer.ts';

/** The bench model with fewer layers and a smaller vocabulary: real dimensions in a layer, and written in seconds. */
export const smallBench: Qwen2Size = { ...halfBillion, name: 'small-bench', layers: 4, vocabulary: 32_000 };

/** Writes bench-like models with random weights into `folder`; returns their paths. */
export async function writeBenchModels(
  folder: string,
  models: readonly { size: Qwen2Size; type: keyof typeof quantizedTypes }[],
): Promise<string[]> {
  const paths: string[] = [];
  for (const { size, type } of models) {
    const filePath = join(folder, `${size.name}-${type}.gguf`);
    const tokenizer = syntheticTokenizer(size.vocabulary);
    await writeModel({ filePath, size, type: quantizedTypes[type], tokenizer, seed: 1 });
    paths.push(filePath);
  }
  return paths;
}

/** The bench models of 0.5 B in the folder that HEARTH_TEST_BENCH_MODELS names, or why there are none. */
export function halfBillionModels(): { paths: string[] } | { skip: string } {
  const folder = process.env['HEARTH_TEST_BENCH_MODELS'];
  if (!folder) return { skip: 'HEARTH_TEST_BENCH_MODELS is not set' };
  const paths = ['q4_0', 'q8_0'].map((type) => join(folder, `${halfBillion.name}-${type}.gguf`));
  const missing = paths.filter((path) => !existsSync(path));
  return missing.length === 0 ? { paths } : { skip: `HEARTH_TEST_BENCH_MODELS has no ${missing.join(', ')}` };
}
