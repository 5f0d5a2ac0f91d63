import type { MetadataEntry } from '../../gguf/header.ts';
import type { PlannedTensor } from '../../gguf/write-gguf.ts';
import { constantFloats, type QuantizedType, randomBlocks } from './weights.ts';

/** Dimensions of a Qwen2 model whose output shares the token embedding. */
export interface Qwen2Size {
  name: string;
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  feedForward: number;
  vocabulary: number;
  contextTokens: number;
  ropeBase: number;
}

/** As Qwen2.5-0.5B: big enough that memory traffic rules, small enough for two cores. */
export const halfBillion: Qwen2Size = {
  name: 'bench-qwen2-0.5b',
  layers: 24,
  width: 896,
  heads: 14,
  kvHeads: 2,
  feedForward: 4864,
  vocabulary: 151_936,
  contextTokens: 32_768,
  ropeBase: 1_000_000,
};

/** Metadata about the model itself; the tokenizer's comes from elsewhere. */
export function qwen2Metadata(size: Qwen2Size, type: QuantizedType): MetadataEntry[] {
  const u32 = (value: number) => ({ type: 'u32', value }) as const;
  return [
    ['general.architecture', { type: 'text', value: 'qwen2' }],
    ['general.name', { type: 'text', value: `${size.name} (random weights)` }],
    ['general.file_type', u32(type.fileType)],
    ['general.quantization_version', u32(2)],
    ['qwen2.block_count', u32(size.layers)],
    ['qwen2.context_length', u32(size.contextTokens)],
    ['qwen2.embedding_length', u32(size.width)],
    ['qwen2.feed_forward_length', u32(size.feedForward)],
    ['qwen2.attention.head_count', u32(size.heads)],
    ['qwen2.attention.head_count_kv', u32(size.kvHeads)],
    ['qwen2.attention.layer_norm_rms_epsilon', { type: 'f32', value: 1e-6 }],
    ['qwen2.rope.freq_base', { type: 'f32', value: size.ropeBase }],
  ];
}

/** All tensors in the order of the file. Matrices are random in `type`, norms are 1 and biases 0. */
export function qwen2Tensors(size: Qwen2Size, type: QuantizedType, seed: number): PlannedTensor[] {
  const { width, feedForward } = size;
  const kvWidth = (width / size.heads) * size.kvHeads;
  const tensors: PlannedTensor[] = [];
  const matrix = (name: string, columns: number, rows: number) => {
    const blocks = (columns * rows) / type.elements;
    // Every tensor has a seed of its own: equal layers could be told apart by nothing.
    const tensorSeed = Math.imul(seed + tensors.length + 1, 0x9e3779b1);
    tensors.push({
      name,
      dimensions: [columns, rows],
      typeNumber: type.typeNumber,
      sizeBytes: blocks * type.bytes,
      pieces: () => randomBlocks(type, blocks, tensorSeed),
    });
  };
  const vector = (name: string, length: number, value: number) =>
    tensors.push({
      name,
      dimensions: [length],
      typeNumber: 0,
      sizeBytes: length * 4,
      pieces: () => [constantFloats(length, value)],
    });

  matrix('token_embd.weight', width, size.vocabulary);
  vector('output_norm.weight', width, 1);
  for (let layer = 0; layer < size.layers; layer++) {
    const block = `blk.${layer}`;
    vector(`${block}.attn_norm.weight`, width, 1);
    matrix(`${block}.attn_q.weight`, width, width);
    vector(`${block}.attn_q.bias`, width, 0);
    matrix(`${block}.attn_k.weight`, width, kvWidth);
    vector(`${block}.attn_k.bias`, kvWidth, 0);
    matrix(`${block}.attn_v.weight`, width, kvWidth);
    vector(`${block}.attn_v.bias`, kvWidth, 0);
    matrix(`${block}.attn_output.weight`, width, width);
    vector(`${block}.ffn_norm.weight`, width, 1);
    matrix(`${block}.ffn_gate.weight`, width, feedForward);
    matrix(`${block}.ffn_up.weight`, width, feedForward);
    matrix(`${block}.ffn_down.weight`, feedForward, width);
  }
  return tensors;
}
