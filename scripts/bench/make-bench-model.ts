import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import type { MetadataEntry } from '../gguf/header.ts';
import { syntheticTokenizer } from '../gguf/synthetic-tokenizer.ts';
import type { BenchDeps } from './deps.ts';
import { positiveInteger } from './flags.ts';
import { halfBillion } from './gguf/qwen2.ts';
import { readTokenizer } from './gguf/tokenizer-of-file.ts';
import { quantizedTypes } from './gguf/weights.ts';
import { writeModel } from './gguf/write-model.ts';

interface Flags {
  dir: string;
  vocab?: string;
  seed: number;
  force?: boolean;
  out?: string;
}

/** `make-bench-model`: writes the bench models into a cache folder; files that are there are kept. */
export function makeBenchModelCommand(deps: BenchDeps): Command {
  return new Command('make-bench-model')
    .description('write a 0.5 B Qwen2 with random weights, in Q4_0 and Q8_0')
    .option('--dir <folder>', 'where to write', deps.cacheFolder)
    .option('--vocab <file>', 'GGUF file to take the tokenizer from; left out: a made-up one of the same size')
    .option('--seed <number>', 'seed of the weights', positiveInteger, 1)
    .option('--force', 'write files that are already there once more')
    .option('--out <file>', 'JSON file for the result')
    .action(async (flags: Flags) => {
      const report = deps.report('make-bench-model', flags.out);
      const tokenizer = await tokenizerFor(flags.vocab);
      const rows: (string | number)[][] = [];
      for (const type of Object.values(quantizedTypes)) {
        const kind = flags.vocab === undefined ? '' : '-real-vocab';
        const filePath = join(flags.dir, `${halfBillion.name}${kind}-${type.label}.gguf`);
        const existing = await stat(filePath).catch(() => null);
        const startMs = performance.now();
        const isKept = existing !== null && !flags.force;
        const sizeBytes = isKept
          ? existing.size
          : await writeModel({ filePath, size: halfBillion, type, tokenizer, seed: flags.seed });
        const took = isKept ? 'kept' : (performance.now() - startMs) / 1000;
        rows.push([filePath, type.label, sizeBytes / 2 ** 20, took]);
      }
      report.table('Bench models', ['file', 'type', 'MiB', 'seconds'], rows);
      report.write();
    });
}

async function tokenizerFor(vocabFile: string | undefined): Promise<MetadataEntry[]> {
  if (vocabFile === undefined) return syntheticTokenizer(halfBillion.vocabulary);
  const { metadata, tokenCount } = await readTokenizer(vocabFile);
  if (tokenCount !== halfBillion.vocabulary) {
    throw new Error(`${vocabFile} has ${tokenCount} tokens; the bench model needs ${halfBillion.vocabulary}.`);
  }
  return metadata;
}
