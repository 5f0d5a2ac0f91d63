import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { halfBillion, type Qwen2Size, qwen2Tensors } from '../../../../scripts/bench/gguf/qwen2.ts';
import { readTokenizer } from '../../../../scripts/bench/gguf/tokenizer-of-file.ts';
import { quantizedTypes } from '../../../../scripts/bench/gguf/weights.ts';
import { writeModel } from '../../../../scripts/bench/gguf/write-model.ts';
import { ggufHeader } from '../../../../scripts/gguf/header.ts';
import { syntheticTokenizer } from '../../../../scripts/gguf/synthetic-tokenizer.ts';
import { readGguf } from '../../../../src/store/gguf/gguf.ts';

const small: Qwen2Size = {
  name: 'small',
  layers: 2,
  width: 64,
  heads: 4,
  kvHeads: 2,
  feedForward: 128,
  vocabulary: 1_200,
  contextTokens: 256,
  ropeBase: 10_000,
};

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bench-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each(Object.values(quantizedTypes))('a bench model in $label', (type) => {
  const write = async (name: string, seed: number) => {
    const filePath = join(folder, `${name}-${type.label}.gguf`);
    const sizeBytes = await writeModel({
      filePath,
      size: small,
      type,
      tokenizer: syntheticTokenizer(small.vocabulary),
      seed,
    });
    return { filePath, sizeBytes };
  };

  it('passes the header check of the server with the dimensions that were asked for', async () => {
    const { filePath, sizeBytes } = await write('check', 1);
    expect((await stat(filePath)).size).toBe(sizeBytes);
    const facts = await readGguf(filePath);
    expect(facts).toMatchObject({
      architecture: 'qwen2',
      quantization: type.label,
      trainedContextTokens: small.contextTokens,
      blockCount: small.layers,
      embeddingLength: small.width,
      headCount: small.heads,
      headCountKv: small.kvHeads,
      vocabularySize: small.vocabulary,
      hasChatTemplate: true,
      tiedEmbedding: true,
    });
  });

  it('is the same for the same seed and another one for another', async () => {
    const first = await readFile((await write('first', 1)).filePath);
    expect(first.equals(await readFile((await write('again', 1)).filePath))).toBe(true);
    expect(first.equals(await readFile((await write('other', 2)).filePath))).toBe(false);
  });

  it('leaves no half-written file behind when writing fails', async () => {
    const blocked = join(folder, `blocked-${type.label}.gguf`);
    // A name that is taken by a folder: the rename at the end fails.
    await writeModel({ filePath: join(blocked, 'inner.gguf'), size: small, type, tokenizer: [], seed: 1 });
    await expect(writeModel({ filePath: blocked, size: small, type, tokenizer: [], seed: 1 })).rejects.toThrow();
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('has weights that spread as trained ones do', () => {
    const [embedding] = qwen2Tensors(small, type, 1);
    const values = [...embedding!.pieces()].flatMap((piece) => dequantize(piece, type.label as 'q4_0' | 'q8_0'));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
    expect(values).toHaveLength(small.width * small.vocabulary);
    expect(Math.abs(mean)).toBeLessThan(0.003);
    expect(deviation).toBeGreaterThan(0.015);
    expect(deviation).toBeLessThan(0.025);
  });
});

describe('the half-billion model', () => {
  it('has the parameters of its model card and pieces of at most about a mebibyte', () => {
    const tensors = qwen2Tensors(halfBillion, quantizedTypes.q4_0, 1);
    const parameters = tensors.reduce(
      (sum, { dimensions }) => sum + dimensions.reduce((product, dimension) => product * dimension, 1),
      0,
    );
    expect(Math.round(parameters / 1e6)).toBe(494);
    const [piece] = tensors[0]!.pieces();
    expect(piece!.length).toBeLessThan(1.2 * 2 ** 20);
  });
});

describe('a tokenizer', () => {
  it('that is made up has exactly the tokens asked for, all different, and merges of known parts', () => {
    const entries = new Map(syntheticTokenizer(20_000));
    const tokens = entries.get('tokenizer.ggml.tokens');
    const merges = entries.get('tokenizer.ggml.merges');
    if (tokens?.type !== 'texts' || merges?.type !== 'texts') throw new Error('tokens and merges are texts');
    expect(tokens.values).toHaveLength(20_000);
    const known = new Set(tokens.values);
    expect(known.size).toBe(20_000);
    const isMadeOfKnown = (merge: string) => {
      const [left = '', right = ''] = merge.split(' ');
      return known.has(left) && known.has(right) && known.has(left + right);
    };
    expect(merges.values.filter((merge) => !isMadeOfKnown(merge))).toEqual([]);
  });

  it('that is copied from a file arrives byte for byte, with the rest left behind', async () => {
    const filePath = join(folder, 'vocabulary.gguf');
    await writeFile(
      filePath,
      ggufHeader([['general.architecture', { type: 'text', value: 'x' }], ...syntheticTokenizer(1_000)], []),
    );
    const { metadata, tokenCount } = await readTokenizer(filePath);
    expect(tokenCount).toBe(1_000);
    expect(ggufHeader(metadata, [])).toEqual(ggufHeader(syntheticTokenizer(1_000), []));
  });

  it('that is missing is said so', async () => {
    const filePath = join(folder, 'no-vocabulary.gguf');
    await writeFile(filePath, ggufHeader([['general.architecture', { type: 'text', value: 'x' }]], []));
    await expect(readTokenizer(filePath)).rejects.toThrow('lists no tokens');
    await expect(readTokenizer(new URL(import.meta.url).pathname)).rejects.toThrow('not a GGUF file');
  });
});

/** Values of whole blocks, as llama.cpp reads them. */
function dequantize(blocks: Buffer, label: 'q4_0' | 'q8_0'): number[] {
  const blockBytes = label === 'q4_0' ? 18 : 34;
  const values: number[] = [];
  for (let start = 0; start < blocks.length; start += blockBytes) {
    const scale = halfToNumber(blocks.readUInt16LE(start));
    for (let index = 2; index < blockBytes; index++) {
      if (label === 'q8_0') values.push(scale * blocks.readInt8(start + index));
      else values.push(scale * ((blocks[start + index]! & 15) - 8), scale * ((blocks[start + index]! >> 4) - 8));
    }
  }
  return values;
}

/** Normal half-precision numbers only. */
function halfToNumber(bits: number): number {
  const exponent = (bits >> 10) & 31;
  return (bits & 0x8000 ? -1 : 1) * 2 ** (exponent - 15) * (1 + (bits & 1023) / 1024);
}
