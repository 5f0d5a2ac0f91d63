import type { MetadataEntry } from '../gguf/header.ts';
import { syntheticTokenizer } from '../gguf/synthetic-tokenizer.ts';

/** A made-up vocabulary that turns any text into tokens and back. A letter with a space in front is one token. */
export interface TinyTokenizer {
  metadata: MetadataEntry[];
  tokenCount: number;
  /**
   * First and last id of the words: letters and pairs of letters. The others are bytes, marks and control tokens; a model
   * that never says those always answers in plain ASCII and never ends by itself.
   */
  words: { first: number; last: number };
}

const tokenCount = 512;
const byteCount = 256;
const letters = [...'abcdefghijklmnopqrstuvwxyz'];

/** Byte-level BPE with the control tokens of ChatML. */
export function bytePairTokenizer(template?: string): TinyTokenizer {
  // The last three are the control tokens.
  const words = { first: byteCount, last: tokenCount - 4 };
  return { metadata: syntheticTokenizer(tokenCount, template), tokenCount, words };
}

/** SentencePiece with a fallback to bytes. `turn`: opening and closing control token of the chat template. */
export function sentencePieceTokenizer(options: {
  template: string;
  turn: readonly [string, string];
  spaceInFront: boolean;
}): TinyTokenizer {
  const special = ['<unk>', '<s>', '</s>', ...options.turn];
  const bytes = Array.from(
    { length: byteCount },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  const marks = ['\u2581', ...'\n.,:?!<>/|_{}"0123456789', ...letters.map((letter) => letter.toUpperCase())];
  const first = special.length + bytes.length + marks.length;
  const pairs = letters.flatMap((left) => letters.map((right) => left + right));
  const words = [...letters.map((letter) => `\u2581${letter}`), ...letters, ...pairs].slice(0, tokenCount - first);
  const tokens = [...special, ...bytes, ...marks, ...words];
  const typeOf = (id: number) => {
    if (id === 0) return tokenType.unknown;
    if (id < special.length) return tokenType.control;
    return id < special.length + bytes.length ? tokenType.byte : tokenType.normal;
  };
  const metadata: MetadataEntry[] = [
    ['tokenizer.ggml.model', { type: 'text', value: 'llama' }],
    ['tokenizer.ggml.pre', { type: 'text', value: 'default' }],
    ['tokenizer.ggml.tokens', { type: 'texts', values: tokens }],
    // Pieces are joined in the order of their scores; earlier words first.
    ['tokenizer.ggml.scores', { type: 'f32s', values: tokens.map((_, id) => (id < first ? 0 : first - id)) }],
    ['tokenizer.ggml.token_type', { type: 'i32s', values: tokens.map((_, id) => typeOf(id)) }],
    ['tokenizer.ggml.unknown_token_id', { type: 'u32', value: 0 }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.eot_token_id', { type: 'u32', value: 4 }],
    ['tokenizer.ggml.add_bos_token', { type: 'boolean', value: true }],
    ['tokenizer.ggml.add_eos_token', { type: 'boolean', value: false }],
    ['tokenizer.ggml.add_space_prefix', { type: 'boolean', value: options.spaceInFront }],
    ['tokenizer.chat_template', { type: 'text', value: options.template }],
  ];
  return { metadata, tokenCount: tokens.length, words: { first, last: tokens.length - 1 } };
}

/** WordPiece, as encoders have it: words of one or two letters and their continuations. */
export function wordPieceTokenizer(): TinyTokenizer {
  const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'];
  const pairs = letters.flatMap((left) => letters.map((right) => left + right));
  // GGUF marks the beginning of a word where the original marks what continues it.
  const words = [...letters.map((letter) => `\u2581${letter}`), ...letters, ...pairs.map((pair) => `\u2581${pair}`)];
  const tokens = [...special, ...words.slice(0, tokenCount - special.length)];
  const typeOf = (id: number) => {
    if (id === 1) return tokenType.unknown;
    return id < special.length ? tokenType.control : tokenType.normal;
  };
  const metadata: MetadataEntry[] = [
    ['tokenizer.ggml.model', { type: 'text', value: 'bert' }],
    ['tokenizer.ggml.token_type_count', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.tokens', { type: 'texts', values: tokens }],
    ['tokenizer.ggml.token_type', { type: 'i32s', values: tokens.map((_, id) => typeOf(id)) }],
    ['tokenizer.ggml.padding_token_id', { type: 'u32', value: 0 }],
    ['tokenizer.ggml.unknown_token_id', { type: 'u32', value: 1 }],
    ['tokenizer.ggml.bos_token_id', { type: 'u32', value: 2 }],
    ['tokenizer.ggml.eos_token_id', { type: 'u32', value: 3 }],
    ['tokenizer.ggml.seperator_token_id', { type: 'u32', value: 3 }],
  ];
  return { metadata, tokenCount: tokens.length, words: { first: special.length, last: tokens.length - 1 } };
}

/** Of `tokenizer.ggml.token_type`. */
const tokenType = { normal: 1, unknown: 2, control: 3, byte: 6 } as const;
