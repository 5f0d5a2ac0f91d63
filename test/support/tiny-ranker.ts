import { type GgufTensor, type GgufValue, writeGguf } from './gguf-writer.ts';

const width = 32;
const words = ['good', 'bad', 'tea', 'is'];
const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', ...words.map((word) => `▁${word}`)];

/** Tokens that the model reads at once. */
export const tinyRankerContextTokens = 64;

/**
 * A reranking model small enough to be written by a test, as weights of that kind are hundreds of megabytes: BERT with
 * one layer that knows eight tokens. Every token looks at all others equally; "good" raises the score, "bad" lowers it.
 */
export function tinyRanker(): Buffer {
  const metadata: [string, GgufValue][] = Object.entries({
    'general.architecture': { text: 'bert' },
    'general.file_type': { u32: 0 },
    'bert.context_length': { u32: tinyRankerContextTokens },
    'bert.embedding_length': { u32: width },
    'bert.feed_forward_length': { u32: width },
    'bert.block_count': { u32: 1 },
    'bert.attention.head_count': { u32: 2 },
    'bert.attention.layer_norm_epsilon': { f32: 1e-6 },
    'bert.attention.causal': { bool: false },
    // llama.cpp's number for a ranking head.
    'bert.pooling_type': { u32: 4 },
    'tokenizer.ggml.token_type_count': { u32: 2 },
    'tokenizer.ggml.model': { text: 'bert' },
    'tokenizer.ggml.tokens': { array: 'text', values: vocabulary },
    'tokenizer.ggml.token_type': { array: 'i32', values: [3, 2, 3, 3, ...words.map(() => 1)] },
    'tokenizer.ggml.padding_token_id': { u32: 0 },
    'tokenizer.ggml.unknown_token_id': { u32: 1 },
    'tokenizer.ggml.bos_token_id': { u32: 2 },
    'tokenizer.ggml.eos_token_id': { u32: 3 },
    'tokenizer.ggml.seperator_token_id': { u32: 3 },
  });
  const tensors = weights();
  const file = writeGguf({ metadata, tensors });
  // The writer leaves zeros. Its data section ends with the file, and only the last tensor, one value, has no padding.
  let start = file.length - 4 - tensors.slice(0, -1).reduce((sum, tensor) => sum + paddedBytes(tensor), 0);
  for (const tensor of tensors) {
    for (let index = 0; index < countOf(tensor); index++) file.writeFloatLE(tensor.valueAt(index), start + index * 4);
    start += paddedBytes(tensor);
  }
  return file;
}

type Weights = GgufTensor & { valueAt(index: number): number };

const countOf = ({ dimensions }: GgufTensor) => dimensions.reduce<number>((count, length) => count * Number(length), 1);
const paddedBytes = (tensor: GgufTensor) => Math.ceil((countOf(tensor) * 4) / 32) * 32;

function weights(): Weights[] {
  const matrix = (name: string, rows: number, valueAt: (index: number) => number = () => 0): Weights => ({
    name,
    dimensions: [width, rows],
    valueAt,
  });
  const vector = (name: string, value: number): Weights => ({ name, dimensions: [width], valueAt: () => value });
  const identity = (index: number) => (index % (width + 1) === 0 ? 1 : 0);
  const linear = (name: string, valueAt?: (index: number) => number) => [
    matrix(`${name}.weight`, width, valueAt),
    vector(`${name}.bias`, 0),
  ];
  const norm = (name: string) => [vector(`${name}.weight`, 1), vector(`${name}.bias`, 0)];
  // The first value of a token's row is what it does to the score.
  const embeddings = new Map([
    [vocabulary.indexOf('▁good') * width, 1],
    [vocabulary.indexOf('▁bad') * width, -1],
  ]);
  return [
    matrix('token_embd.weight', vocabulary.length, (index) => embeddings.get(index) ?? 0),
    matrix('token_types.weight', 2),
    matrix('position_embd.weight', tinyRankerContextTokens),
    ...norm('token_embd_norm'),
    ...linear('blk.0.attn_q'),
    ...linear('blk.0.attn_k'),
    ...linear('blk.0.attn_v', identity),
    ...linear('blk.0.attn_output', identity),
    ...norm('blk.0.attn_output_norm'),
    ...linear('blk.0.ffn_up'),
    ...linear('blk.0.ffn_down'),
    ...norm('blk.0.layer_output_norm'),
    matrix('cls.output.weight', 1, (index) => (index === 0 ? 1 : 0)),
    { name: 'cls.output.bias', dimensions: [1], valueAt: () => 0 },
  ];
}
