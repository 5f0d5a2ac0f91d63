import { join } from 'node:path';
import { writeGguf } from '../gguf/write-gguf.ts';
import { bert } from './bert.ts';
import type { TinyFile } from './common.ts';
import { decoder } from './decoder.ts';
import { mamba } from './mamba.ts';
import { chatWithTools, plainTurns, turnsWithoutSystem } from './templates.ts';
import { bytePairTokenizer, sentencePieceTokenizer, wordPieceTokenizer } from './tokenizers.ts';

/** Tokens that the sliding layers of the two gemmas see. */
export const windowTokens = 32;

const instTurn = ['[INST]', '[/INST]'] as const;
const gemmaTurn = ['<start_of_turn>', '<end_of_turn>'] as const;
const sentencePieces = () =>
  sentencePieceTokenizer({ template: plainTurns(instTurn), turn: instTurn, spaceInFront: true });
const gemmaPieces = () =>
  sentencePieceTokenizer({ template: turnsWithoutSystem(gemmaTurn), turn: gemmaTurn, spaceInFront: false });

/**
 * Every tiny model by its architecture, as llama.cpp calls it. The seeds are ones with which the prompts of
 * `test/e2e/tiny-models.test.ts` get answers of many different tokens, none of them chosen by a hair.
 */
const tinyModels = {
  llama: () => decoder({ architecture: 'llama', tokenizer: sentencePieces(), storage: 'f32', seed: 7, layers: 2 }),
  qwen2: () =>
    decoder({
      architecture: 'qwen2',
      tokenizer: bytePairTokenizer(chatWithTools),
      storage: 'q8_0',
      seed: 27,
      layers: 2,
      hasBias: true,
    }),
  qwen3: () =>
    decoder({
      architecture: 'qwen3',
      tokenizer: bytePairTokenizer(),
      storage: 'f16',
      seed: 11,
      layers: 2,
      hasHeadNorms: true,
    }),
  qwen3moe: () =>
    decoder({
      architecture: 'qwen3moe',
      tokenizer: bytePairTokenizer(),
      storage: 'q8_0',
      seed: 3,
      layers: 2,
      hasHeadNorms: true,
      experts: { count: 8, used: 2, feedForward: 32 },
    }),
  gemma2: () =>
    decoder({
      architecture: 'gemma2',
      tokenizer: gemmaPieces(),
      storage: 'f32',
      seed: 13,
      layers: 4,
      window: { tokens: windowTokens, period: 2 },
      hasPostNorms: true,
      isTied: true,
      extra: [
        ['gemma2.attn_logit_softcapping', { type: 'f32', value: 50 }],
        ['gemma2.final_logit_softcapping', { type: 'f32', value: 60 }],
      ],
    }),
  gemma3: () =>
    decoder({
      architecture: 'gemma3',
      tokenizer: gemmaPieces(),
      storage: 'f32',
      seed: 9,
      layers: 4,
      window: { tokens: windowTokens, period: 2 },
      hasHeadNorms: true,
      hasPostNorms: true,
      isTied: true,
    }),
  chatglm: () =>
    decoder({
      architecture: 'chatglm',
      tokenizer: bytePairTokenizer(),
      storage: 'f32',
      seed: 2,
      layers: 2,
      isFused: true,
    }),
  mamba: () => mamba({ tokenizer: bytePairTokenizer(), seed: 9 }),
  bert: () => bert({ tokenizer: wordPieceTokenizer(), seed: 8 }),
} satisfies Record<string, () => TinyFile>;

/**
 * Writes a gemma3 whose cache is larger than all else of it, if its sliding layers kept every token; for tests of memory
 * alone. Five of six layers slide, as llama.cpp takes it where the file does not say so.
 */
export async function writeWindowedModel(filePath: string): Promise<void> {
  const { metadata, tensors } = decoder({
    architecture: 'gemma3',
    tokenizer: gemmaPieces(),
    storage: 'f32',
    seed: 9,
    layers: 48,
    contextTokens: 8_192,
    window: { tokens: windowTokens, period: 6 },
    hasHeadNorms: true,
    hasPostNorms: true,
    isTied: true,
  });
  const pattern = 'gemma3.attention.sliding_window_pattern';
  await writeGguf({ filePath, metadata: metadata.filter(([key]) => key !== pattern), tensors });
}

/** Writes a mixture of experts as wide as a block of the K types, so that its experts can be had in all types. */
export async function writeWideExperts(filePath: string): Promise<void> {
  const model = decoder({
    architecture: 'qwen3moe',
    tokenizer: bytePairTokenizer(),
    storage: 'q8_0',
    seed: 3,
    layers: 2,
    width: 256,
    hasHeadNorms: true,
    experts: { count: 8, used: 2, feedForward: 256 },
  });
  await writeGguf({ filePath, ...model });
}

export type TinyArchitecture = keyof typeof tinyModels;

/** All architectures, in the order in which they are written. */
export const tinyArchitectures = Object.keys(tinyModels) as TinyArchitecture[];

/** Those that continue text; the others give vectors. */
export const textArchitectures = tinyArchitectures.filter((architecture) => architecture !== 'bert');

/** File of a model, and so its name in the server. */
export const tinyFileName = (architecture: TinyArchitecture) => `tiny-${architecture}.gguf`;

/** Writes every tiny model into a folder, which is made. The same bytes every time. Returns what it wrote. */
export async function writeTinyModels(folder: string): Promise<{ filePath: string; sizeBytes: number }[]> {
  const written: { filePath: string; sizeBytes: number }[] = [];
  for (const architecture of tinyArchitectures) {
    const filePath = join(folder, tinyFileName(architecture));
    written.push({ filePath, sizeBytes: await writeGguf({ filePath, ...tinyModels[architecture]() }) });
  }
  return written;
}
