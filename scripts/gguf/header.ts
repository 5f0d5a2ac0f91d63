/** A metadata value of a GGUF file with its type; `raw` is copied from another file as it stands. */
export type MetadataValue =
  | { type: 'u32'; value: number }
  | { type: 'f32'; value: number }
  | { type: 'boolean'; value: boolean }
  | { type: 'text'; value: string }
  | { type: 'texts'; values: readonly string[] }
  | { type: 'i32s'; values: readonly number[] }
  | { type: 'f32s'; values: readonly number[] }
  | { type: 'raw'; typeNumber: number; bytes: Buffer };

export type MetadataEntry = readonly [key: string, value: MetadataValue];

/** A tensor as the header announces it; `offsetBytes` counts from the start of the data section. */
export interface TensorEntry {
  name: string;
  dimensions: readonly number[];
  /** Number of the storage type in GGUF. */
  typeNumber: number;
  offsetBytes: number;
}

/** Data section and tensors begin at multiples of this, the format's default. */
export const alignmentBytes = 32;

/**
 * The header of a GGUF 3 file, padded up to the data section.
 * Source: "GGUF" in the documentation of ggml.
 */
export function ggufHeader(metadata: readonly MetadataEntry[], tensors: readonly TensorEntry[]): Buffer {
  const parts = [Buffer.from('GGUF', 'latin1'), u32(3), u64(tensors.length), u64(metadata.length)];
  for (const [key, value] of metadata) parts.push(text(key), typedValue(value));
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.dimensions.length), ...tensor.dimensions.map(u64));
    parts.push(u32(tensor.typeNumber), u64(tensor.offsetBytes));
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(aligned(header.length) - header.length)]);
}

/** The next multiple of the alignment. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / alignmentBytes) * alignmentBytes;
}

function typedValue(value: MetadataValue): Buffer {
  switch (value.type) {
    case 'u32':
      return Buffer.concat([u32(4), u32(value.value)]);
    case 'f32':
      return Buffer.concat([u32(6), f32(value.value)]);
    case 'boolean':
      return Buffer.concat([u32(7), Buffer.from([value.value ? 1 : 0])]);
    case 'text':
      return Buffer.concat([u32(8), text(value.value)]);
    case 'texts':
      return Buffer.concat([u32(9), u32(8), u64(value.values.length), ...value.values.map(text)]);
    case 'i32s':
      return Buffer.concat([
        u32(9),
        u32(5),
        u64(value.values.length),
        Buffer.from(Int32Array.from(value.values).buffer),
      ]);
    case 'f32s':
      return Buffer.concat([
        u32(9),
        u32(6),
        u64(value.values.length),
        Buffer.from(Float32Array.from(value.values).buffer),
      ]);
    case 'raw':
      return Buffer.concat([u32(value.typeNumber), value.bytes]);
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
