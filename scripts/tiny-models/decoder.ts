import type { MetadataEntry } from '../gguf/header.ts';
import { contextTokens, type TinyFile, width as tinyWidth, wordsFirst } from './common.ts';
import { createTensorList, type Storage, storageTypes, type TensorList } from './tensors.ts';
import type { TinyTokenizer } from './tokenizers.ts';

/** A transformer that continues text, in the terms in which the architectures differ. */
export interface DecoderPlan {
  architecture: string;
  tokenizer: TinyTokenizer;
  storage: Storage;
  seed: number;
  layers: number;
  /** Left out: as all tiny models. */
  contextTokens?: number;
  /** Tokens that the sliding layers see, and which layers slide: all but every `period`-th. */
  window?: { tokens: number; period: number };
  /** Biases of query, key and value. */
  hasBias?: boolean;
  /** Norms on each head's query and key. */
  hasHeadNorms?: boolean;
  /** Norms behind attention and feed-forward part as well as before them. */
  hasPostNorms?: boolean;
  /** Query, key and value in one matrix, and gate and up in another. */
  isFused?: boolean;
  /** A mixture of experts: so many in each layer, each so wide, and so many of them for each token. */
  experts?: { count: number; used: number; feedForward: number };
  /** Values per token. Left out: as all tiny models. */
  width?: number;
  /** The output shares the token embedding. */
  isTied?: boolean;
  extra?: readonly MetadataEntry[];
}

const heads = 4;
const kvHeads = 2;
const feedForward = 96;

/**
 * Attention is sharp (queries and keys are large), so that the answer hangs on single earlier tokens, and logits spread
 * widely, so that rounding seldom decides.
 */
export function decoder(plan: DecoderPlan): TinyFile {
  const { architecture, tokenizer, window, experts } = plan;
  const width = plan.width ?? tinyWidth;
  const headWidth = width / heads;
  const u32 = (value: number) => ({ type: 'u32', value }) as const;
  const f32 = (value: number) => ({ type: 'f32', value }) as const;
  const metadata: MetadataEntry[] = [
    ['general.architecture', { type: 'text', value: architecture }],
    ['general.name', { type: 'text', value: `tiny ${architecture} (random weights)` }],
    ['general.file_type', u32(storageTypes[plan.storage].fileType)],
    ['general.quantization_version', u32(2)],
    [`${architecture}.context_length`, u32(plan.contextTokens ?? contextTokens)],
    [`${architecture}.embedding_length`, u32(width)],
    [`${architecture}.feed_forward_length`, u32(feedForward)],
    [`${architecture}.block_count`, u32(plan.layers)],
    [`${architecture}.attention.head_count`, u32(heads)],
    [`${architecture}.attention.head_count_kv`, u32(kvHeads)],
    [`${architecture}.attention.key_length`, u32(headWidth)],
    [`${architecture}.attention.value_length`, u32(headWidth)],
    [`${architecture}.attention.layer_norm_rms_epsilon`, f32(1e-6)],
    [`${architecture}.rope.dimension_count`, u32(headWidth)],
    [`${architecture}.rope.freq_base`, f32(10_000)],
    [`${architecture}.vocab_size`, u32(tokenizer.tokenCount)],
    ...(plan.extra ?? []),
  ];
  if (experts) {
    metadata.push([`${architecture}.expert_count`, u32(experts.count)]);
    metadata.push([`${architecture}.expert_used_count`, u32(experts.used)]);
    metadata.push([`${architecture}.expert_feed_forward_length`, u32(experts.feedForward)]);
  }
  if (window) {
    metadata.push([`${architecture}.attention.sliding_window`, u32(window.tokens)]);
    metadata.push([`${architecture}.attention.sliding_window_pattern`, u32(window.period)]);
  }
  metadata.push(...tokenizer.metadata);
  return { metadata, tensors: decoderTensors(plan) };
}

function decoderTensors(plan: DecoderPlan): TinyFile['tensors'] {
  const { tokenizer, experts } = plan;
  const width = plan.width ?? tinyWidth;
  const headWidth = width / heads;
  const list = createTensorList(plan);
  // Shared with the output the embedding has to be small, or the model only repeats its last token.
  list.matrix('token_embd.weight', width, tokenizer.tokenCount, plan.isTied ? 0.1 : 0.5, wordsFirst(tokenizer));
  list.vector('output_norm.weight', width, plan.isTied ? 20 : 2, 0);
  if (!plan.isTied) list.matrix('output.weight', width, tokenizer.tokenCount, 1, wordsFirst(tokenizer));
  for (let layer = 0; layer < plan.layers; layer++) {
    const block = `blk.${layer}`;
    const linear = (name: string, columns: number, rows: number, gain: number, hasBias = false) => {
      list.matrix(`${block}.${name}.weight`, columns, rows, gain / Math.sqrt(columns));
      if (hasBias) list.vector(`${block}.${name}.bias`, rows, 0, 0.2);
    };
    const norm = (name: string, length: number, mean: number) => {
      list.vector(`${block}.${name}.weight`, length, mean, mean / 10);
    };
    norm('attn_norm', width, 1);
    if (plan.isFused) {
      linear('attn_qkv', width, (heads + 2 * kvHeads) * headWidth, 1.7, true);
    } else {
      linear('attn_q', width, heads * headWidth, 1.7, plan.hasBias);
      linear('attn_k', width, kvHeads * headWidth, 1.7, plan.hasBias);
      linear('attn_v', width, kvHeads * headWidth, 1.7, plan.hasBias);
    }
    if (plan.hasHeadNorms) {
      norm('attn_q_norm', headWidth, 1.5);
      norm('attn_k_norm', headWidth, 1.5);
    }
    linear('attn_output', heads * headWidth, width, 1);
    if (plan.hasPostNorms) norm('post_attention_norm', width, 3);
    norm('ffn_norm', width, 1);
    if (experts) {
      addExperts(list, block, width, experts);
    } else {
      if (!plan.isFused) linear('ffn_gate', width, feedForward, 1);
      linear('ffn_up', width, plan.isFused ? 2 * feedForward : feedForward, 1);
      linear('ffn_down', feedForward, width, 1.5);
    }
    if (plan.hasPostNorms) norm('post_ffw_norm', width, 3);
  }
  return list.tensors;
}

/** What chooses is large, so that rounding seldom decides which experts a token gets. */
function addExperts(
  list: TensorList,
  block: string,
  width: number,
  experts: NonNullable<DecoderPlan['experts']>,
): void {
  const { count, feedForward } = experts;
  const deviation = (columns: number, gain: number) => gain / Math.sqrt(columns);
  list.plainMatrix(`${block}.ffn_gate_inp.weight`, width, count, (normal) => normal * deviation(width, 4));
  list.matrices(`${block}.ffn_gate_exps.weight`, width, feedForward, count, deviation(width, 1));
  list.matrices(`${block}.ffn_up_exps.weight`, width, feedForward, count, deviation(width, 1));
  list.matrices(`${block}.ffn_down_exps.weight`, feedForward, width, count, deviation(feedForward, 1.5));
}
