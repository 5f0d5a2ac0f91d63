import type { MetadataEntry } from '../gguf/header.ts';
import { contextTokens, type TinyFile, width, wordsFirst } from './common.ts';
import { createTensorList, storageTypes } from './tensors.ts';
import type { TinyTokenizer } from './tokenizers.ts';

const layers = 2;
/** llama.cpp knows no other expansion than twice the width. */
const inner = 2 * width;
const stateSize = 16;
const timeRank = 4;
const kernel = 4;

/** A model with a running state in place of a key-value cache: what it has read cannot be taken back. */
export function mamba(plan: { tokenizer: TinyTokenizer; seed: number }): TinyFile {
  const { tokenizer } = plan;
  const u32 = (value: number) => ({ type: 'u32', value }) as const;
  const metadata: MetadataEntry[] = [
    ['general.architecture', { type: 'text', value: 'mamba' }],
    ['general.name', { type: 'text', value: 'tiny mamba (random weights)' }],
    ['general.file_type', u32(storageTypes.f32.fileType)],
    ['mamba.context_length', u32(contextTokens)],
    ['mamba.embedding_length', u32(width)],
    ['mamba.feed_forward_length', u32(0)],
    ['mamba.attention.head_count', u32(0)],
    ['mamba.block_count', u32(layers)],
    ['mamba.ssm.conv_kernel', u32(kernel)],
    ['mamba.ssm.inner_size', u32(inner)],
    ['mamba.ssm.state_size', u32(stateSize)],
    ['mamba.ssm.time_step_rank', u32(timeRank)],
    ['mamba.attention.layer_norm_rms_epsilon', { type: 'f32', value: 1e-6 }],
    ...tokenizer.metadata,
  ];
  const list = createTensorList({ storage: 'f32', seed: plan.seed });
  list.matrix('token_embd.weight', width, tokenizer.tokenCount, 0.5, wordsFirst(tokenizer));
  list.vector('output_norm.weight', width, 2);
  list.matrix('output.weight', width, tokenizer.tokenCount, 1, wordsFirst(tokenizer));
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    list.vector(`${block}.attn_norm.weight`, width, 1, 0.1);
    list.matrix(`${block}.ssm_in.weight`, width, 2 * inner, 1.5 / Math.sqrt(width));
    list.plainMatrix(`${block}.ssm_conv1d.weight`, kernel, inner, (normal) => normal * 0.7);
    list.vector(`${block}.ssm_conv1d.bias`, inner, 0, 0.2);
    list.matrix(`${block}.ssm_x.weight`, inner, timeRank + 2 * stateSize, 1.5 / Math.sqrt(inner));
    list.matrix(`${block}.ssm_dt.weight`, timeRank, inner, 0.5);
    // Small steps and slow decay: the state remembers hundreds of tokens.
    list.vector(`${block}.ssm_dt.bias`, inner, -3, 1);
    list.plainMatrix(`${block}.ssm_a`, stateSize, inner, (normal) => -Math.exp(normal - 2));
    list.vector(`${block}.ssm_d`, inner, 1, 0.1);
    list.matrix(`${block}.ssm_out.weight`, inner, width, 1.5 / Math.sqrt(inner));
  }
  return { metadata, tensors: list.tensors };
}
