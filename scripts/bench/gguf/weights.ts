/** How weights are stored: blocks of `elements` values in `bytes` bytes, with half-precision scales among them. */
export interface QuantizedType {
  label: string;
  /** Number of the type in GGUF, and of the file type that means "mostly this". */
  typeNumber: number;
  fileType: number;
  elements: number;
  bytes: number;
  /** Scale as half precision that makes uniform random values spread by about 0.02, as trained weights do. */
  scaleBits: number;
  /** Where in a block halves lie, in bytes; left out: one, at its beginning. */
  scaleOffsets?: readonly number[];
}

/** 0x1c60: 0.0043 for values of -8 to 7; 0x0c6d: 0.00027 for values of -128 to 127. */
export const quantizedTypes: Readonly<Record<'q4_0' | 'q8_0', QuantizedType>> = {
  q4_0: { label: 'q4_0', typeNumber: 2, fileType: 2, elements: 32, bytes: 18, scaleBits: 0x1c60 },
  q8_0: { label: 'q8_0', typeNumber: 8, fileType: 7, elements: 32, bytes: 34, scaleBits: 0x0c6d },
};

/** About 1 MiB of whole blocks of these types. */
const pieceBlocks = 32_768;

/** Random blocks of `type`, in pieces of about a mebibyte; the same for the same seed. */
export function* randomBlocks(type: QuantizedType, blocks: number, seed: number): Generator<Buffer> {
  let state = (seed >>> 0) | 1;
  for (let done = 0; done < blocks; done += pieceBlocks) {
    const pieceBytes = Math.min(pieceBlocks, blocks - done) * type.bytes;
    const values = new Uint32Array(Math.ceil(pieceBytes / 4));
    for (let index = 0; index < values.length; index++) {
      // xorshift32 (Marsaglia): half a gigabyte has to come quickly, and only has to look random to a matrix product.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      values[index] = state;
    }
    const piece = Buffer.from(values.buffer, 0, pieceBytes);
    for (const first of type.scaleOffsets ?? [0]) {
      for (let offset = first; offset < pieceBytes; offset += type.bytes) piece.writeUInt16LE(type.scaleBits, offset);
    }
    yield piece;
  }
}

/** `count` single-precision values that are all the same. */
export function constantFloats(count: number, value: number): Buffer {
  return Buffer.from(new Float32Array(count).fill(value).buffer);
}
