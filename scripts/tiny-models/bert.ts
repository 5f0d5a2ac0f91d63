import type { MetadataEntry } from '../gguf/header.ts';
import { contextTokens, type TinyFile, width } from './common.ts';
import { createTensorList, storageTypes } from './tensors.ts';
import type { TinyTokenizer } from './tokenizers.ts';

const layers = 2;
const feedForward = 96;
/** llama.cpp's number for the mean of all tokens. */
const meanPooling = 1;

/** An encoder: it reads a text as a whole and gives a vector. */
export function bert(plan: { tokenizer: TinyTokenizer; seed: number }): TinyFile {
  const { tokenizer } = plan;
  const u32 = (value: number) => ({ type: 'u32', value }) as const;
  const metadata: MetadataEntry[] = [
    ['general.architecture', { type: 'text', value: 'bert' }],
    ['general.name', { type: 'text', value: 'tiny bert (random weights)' }],
    ['general.file_type', u32(storageTypes.f16.fileType)],
    ['bert.context_length', u32(contextTokens)],
    ['bert.embedding_length', u32(width)],
    ['bert.feed_forward_length', u32(feedForward)],
    ['bert.block_count', u32(layers)],
    ['bert.attention.head_count', u32(4)],
    ['bert.attention.layer_norm_epsilon', { type: 'f32', value: 1e-6 }],
    ['bert.attention.causal', { type: 'boolean', value: false }],
    ['bert.pooling_type', u32(meanPooling)],
    ...tokenizer.metadata,
  ];
  const list = createTensorList({ storage: 'f16', seed: plan.seed });
  const norm = (name: string) => {
    list.vector(`${name}.weight`, width, 1, 0.1);
    list.vector(`${name}.bias`, width, 0, 0.1);
  };
  const linear = (name: string, columns: number, rows: number) => {
    list.matrix(`${name}.weight`, columns, rows, 1.5 / Math.sqrt(columns));
    list.vector(`${name}.bias`, rows, 0, 0.1);
  };
  list.matrix('token_embd.weight', width, tokenizer.tokenCount, 1);
  list.plainMatrix('token_types.weight', width, 2, (normal) => normal * 0.1);
  list.plainMatrix('position_embd.weight', width, contextTokens, (normal) => normal * 0.5);
  norm('token_embd_norm');
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    for (const part of ['attn_q', 'attn_k', 'attn_v', 'attn_output']) linear(`${block}.${part}`, width, width);
    norm(`${block}.attn_output_norm`);
    linear(`${block}.ffn_up`, width, feedForward);
    linear(`${block}.ffn_down`, feedForward, width);
    norm(`${block}.layer_output_norm`);
  }
  return { metadata, tensors: list.tensors };
}
