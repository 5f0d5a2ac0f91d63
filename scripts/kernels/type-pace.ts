import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Qwen2Size } from '../bench/gguf/qwen2.ts';
import type { QuantizedType } from '../bench/gguf/weights.ts';
import { writeModel } from '../bench/gguf/write-model.ts';
import { syntheticTokenizer } from '../gguf/synthetic-tokenizer.ts';
import type { Pace } from './choose.ts';
import { measureInTurn, startRunner } from './measure.ts';
import { weightTypes } from './weight-types.ts';

/**
 * A model in rows that every type can hold. Four layers have 0.06 B weights: little enough for a slow processor, too much for
 * its caches.
 */
function typeModelSize(layers: number): Qwen2Size {
  return {
    name: 'types',
    layers,
    width: 1024,
    heads: 16,
    kvHeads: 2,
    feedForward: 4096,
    vocabulary: 4_096,
    contextTokens: 4_096,
    ropeBase: 1_000_000,
  };
}

/** Writes a model of such a size that is one type of weights throughout, with random ones. */
export async function writeTypeModel(filePath: string, layers: number, type: QuantizedType): Promise<void> {
  const size = typeModelSize(layers);
  await writeModel({ filePath, size, type, tokenizer: syntheticTokenizer(size.vocabulary), seed: 1 });
}

/** One thread, in time of its processor: what else runs there changes little. */
const options = { promptTokens: 64, decodeTokens: 12, threads: 1, clock: 'processor' } as const;

/**
 * How fast the kernels installed below `root` run a model that is one type of weights throughout, by type: tokens per second
 * of one thread. `onType`: called with each type before it is measured. `rounds`: the median counts.
 */
export async function measureTypes(
  root: string,
  { rounds = 3, onType = () => {} }: { rounds?: number; onType?: (label: string) => void } = {},
): Promise<Record<string, Pace>> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-types-'));
  const found: Record<string, Pace> = {};
  try {
    for (const type of weightTypes) {
      onType(type.label);
      const filePath = join(folder, 'model.gguf');
      await writeTypeModel(filePath, 4, type);
      const runner = await startRunner(root, filePath, options);
      try {
        const [pace] = await measureInTurn([runner], rounds);
        found[type.label] = { prompt: threeDigits(pace!.prompt), decode: threeDigits(pace!.decode) };
      } finally {
        runner.child.kill();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return found;
}

const threeDigits = (value: number) => Number(value.toPrecision(3));
