import type { ByteSource } from '../../src/store/gguf/gguf.ts';

/** A metadata value with its GGUF type. */
export type GgufValue =
  | { u8: number }
  | { i8: number }
  | { u16: number }
  | { i16: number }
  | { u32: number }
  | { i32: number }
  | { u64: bigint }
  | { i64: bigint }
  | { f32: number }
  | { f64: number }
  | { bool: boolean }
  | { text: string }
  | { array: 'u8' | 'i32' | 'u32' | 'f32' | 'bool' | 'text'; values: (number | boolean | string)[] }
  /** Type number and bytes as they stand, for broken values. */
  | { raw: Buffer; type: number };

/** A tensor; its bytes are zeros. `bytes` and `offset` override what the type and the position say. */
export interface GgufTensor {
  name: string;
  dimensions: (number | bigint)[];
  /** Type number and block size; default F32. */
  type?: number;
  block?: { elements: number; bytes: number };
  bytes?: number;
  offset?: bigint;
}

export interface GgufSpec {
  magic?: string;
  version?: number;
  /** Entries in order; a list, so that keys can repeat. */
  metadata?: [string, GgufValue][];
  tensors?: GgufTensor[];
  alignment?: number;
  /** Counts to write instead of the true ones. */
  metadataCount?: bigint;
  tensorCount?: bigint;
}

/** Metadata of a tiny but complete llama-type model; `overrides` replace or add entries, null removes one. */
export function tinyMetadata(overrides: Record<string, GgufValue | null> = {}): [string, GgufValue][] {
  const entries: Record<string, GgufValue | null> = {
    'general.architecture': { text: 'llama' },
    'general.name': { text: 'Tiny' },
    'general.file_type': { u32: 0 },
    'llama.context_length': { u32: 512 },
    'llama.embedding_length': { u32: 8 },
    'llama.block_count': { u32: 2 },
    'llama.attention.head_count': { u32: 2 },
    'llama.attention.head_count_kv': { u32: 1 },
    'tokenizer.ggml.model': { text: 'llama' },
    'tokenizer.ggml.tokens': { array: 'text', values: ['<unk>', '<s>', '</s>', 'a'] },
    'tokenizer.ggml.scores': { array: 'f32', values: [0, 0, 0, -1] },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
    'tokenizer.chat_template': { text: '{{ messages[0].content }}' },
    ...overrides,
  };
  return Object.entries(entries).filter((entry): entry is [string, GgufValue] => entry[1] !== null);
}

export const tinyTensors: GgufTensor[] = [
  { name: 'token_embd.weight', dimensions: [8, 4] },
  { name: 'blk.0.attn_q.weight', dimensions: [8, 8] },
  { name: 'blk.1.attn_q.weight', dimensions: [8, 8] },
];

/** A complete tiny model file. */
export function tinyGguf(overrides: Record<string, GgufValue | null> = {}, spec: GgufSpec = {}): Buffer {
  return writeGguf({ metadata: tinyMetadata(overrides), tensors: tinyTensors, ...spec });
}

/** Writes a GGUF file as specified, right or wrong. */
export function writeGguf(spec: GgufSpec): Buffer {
  return Buffer.concat([writeGgufHeader(spec), writeGgufData(spec)]);
}

/** All in front of the data section, without the padding. */
export function writeGgufHeader(spec: GgufSpec): Buffer {
  const metadata = spec.metadata ?? [];
  const tensors = spec.tensors ?? [];
  const alignment = spec.alignment ?? 32;
  const parts = [
    Buffer.from(spec.magic ?? 'GGUF', 'latin1'),
    u32(spec.version ?? 3),
    u64(spec.tensorCount ?? BigInt(tensors.length)),
    u64(spec.metadataCount ?? BigInt(metadata.length)),
  ];
  for (const [key, value] of metadata) parts.push(text(key), typed(value));
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.dimensions.length));
    for (const dimension of tensor.dimensions) parts.push(u64(BigInt(dimension)));
    parts.push(u32(tensor.type ?? 0), u64(tensor.offset ?? BigInt(offset)));
    offset += padded(sizeOf(tensor), alignment);
  }
  return Buffer.concat(parts);
}

function writeGgufData(spec: GgufSpec): Buffer {
  const tensors = spec.tensors ?? [];
  if (tensors.length === 0) return Buffer.alloc(0);
  const alignment = spec.alignment ?? 32;
  const headerBytes = writeGgufHeader(spec).length;
  const last = tensors.length - 1;
  // The last tensor is not padded, so that one byte less cuts into it.
  const dataBytes = tensors.reduce(
    (sum, tensor, index) => sum + (index === last ? sizeOf(tensor) : padded(sizeOf(tensor), alignment)),
    0,
  );
  return Buffer.alloc(padded(headerBytes, alignment) - headerBytes + dataBytes);
}

/** A buffer as the reader's source of bytes. */
export function bufferSource(buffer: Buffer): ByteSource {
  return {
    sizeBytes: buffer.length,
    read: async (offsetBytes, lengthBytes) => buffer.subarray(offsetBytes, offsetBytes + lengthBytes),
  };
}

function sizeOf(tensor: GgufTensor): number {
  const elements = tensor.dimensions.reduce<number>((product, dimension) => product * Number(dimension), 1);
  const block = tensor.block ?? { elements: 1, bytes: 4 };
  return tensor.bytes ?? (elements / block.elements) * block.bytes;
}

const padded = (bytes: number, alignment: number) => Math.ceil(bytes / alignment) * alignment;

export function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

export function u64(value: bigint): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(value);
  return buffer;
}

export function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(BigInt(bytes.length)), bytes]);
}

const arrayTypes = { u8: 0, i32: 5, u32: 4, f32: 6, bool: 7, text: 8 } as const;

function typed(value: GgufValue): Buffer {
  if ('raw' in value) return Buffer.concat([u32(value.type), value.raw]);
  if ('text' in value) return Buffer.concat([u32(8), text(value.text)]);
  if ('bool' in value) return Buffer.concat([u32(7), Buffer.from([value.bool ? 1 : 0])]);
  if ('array' in value) {
    const items = value.values.map((item) => arrayItem(value.array, item));
    return Buffer.concat([u32(9), u32(arrayTypes[value.array]), u64(BigInt(items.length)), ...items]);
  }
  const buffer = Buffer.alloc(8);
  if ('u8' in value) return number(0, buffer, buffer.writeUInt8(value.u8));
  if ('i8' in value) return number(1, buffer, buffer.writeInt8(value.i8));
  if ('u16' in value) return number(2, buffer, buffer.writeUInt16LE(value.u16));
  if ('i16' in value) return number(3, buffer, buffer.writeInt16LE(value.i16));
  if ('u32' in value) return number(4, buffer, buffer.writeUInt32LE(value.u32));
  if ('i32' in value) return number(5, buffer, buffer.writeInt32LE(value.i32));
  if ('f32' in value) return number(6, buffer, buffer.writeFloatLE(value.f32));
  if ('u64' in value) return number(10, buffer, buffer.writeBigUInt64LE(value.u64));
  if ('i64' in value) return number(11, buffer, buffer.writeBigInt64LE(value.i64));
  return number(12, buffer, buffer.writeDoubleLE(value.f64));
}

function arrayItem(type: keyof typeof arrayTypes, item: number | boolean | string): Buffer {
  if (type === 'text') return text(String(item));
  const buffer = Buffer.alloc(4);
  if (type === 'f32') buffer.writeFloatLE(Number(item));
  else if (type === 'i32') buffer.writeInt32LE(Number(item));
  else if (type === 'u32') buffer.writeUInt32LE(Number(item));
  else return Buffer.from([Number(item)]);
  return buffer;
}

function number(type: number, buffer: Buffer, lengthBytes: number): Buffer {
  return Buffer.concat([u32(type), buffer.subarray(0, lengthBytes)]);
}
