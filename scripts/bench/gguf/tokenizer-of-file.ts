import { readFile } from 'node:fs/promises';
import type { MetadataEntry } from '../../gguf/header.ts';

/** Bytes of the fixed-size value types by number; 8 is text, 9 an array. */
const scalarBytes: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);

/**
 * The `tokenizer.` metadata of a GGUF file, byte for byte, and how many tokens it lists. Meant for vocabulary-only
 * files of a trusted source: the file is read as a whole and its counts are believed.
 * Throws when the file is not GGUF 2 or 3 or lists no tokens.
 */
export async function readTokenizer(filePath: string): Promise<{ metadata: MetadataEntry[]; tokenCount: number }> {
  const bytes = await readFile(filePath);
  if (bytes.toString('latin1', 0, 4) !== 'GGUF' || ![2, 3].includes(bytes.readUInt32LE(4))) {
    throw new Error(`${filePath} is not a GGUF file of version 2 or 3`);
  }
  const count = Number(bytes.readBigUInt64LE(16));
  const metadata: MetadataEntry[] = [];
  let tokenCount = 0;
  let position = 24;
  for (let index = 0; index < count; index++) {
    const keyBytes = Number(bytes.readBigUInt64LE(position));
    const key = bytes.toString('utf8', position + 8, position + 8 + keyBytes);
    const typeNumber = bytes.readUInt32LE(position + 8 + keyBytes);
    const start = position + 8 + keyBytes + 4;
    position = endOfValue(bytes, typeNumber, start);
    if (key === 'tokenizer.ggml.tokens') tokenCount = Number(bytes.readBigUInt64LE(start + 4));
    if (key.startsWith('tokenizer.')) {
      metadata.push([key, { type: 'raw', typeNumber, bytes: bytes.subarray(start, position) }]);
    }
  }
  if (tokenCount === 0) throw new Error(`${filePath} lists no tokens`);
  return { metadata, tokenCount };
}

function endOfValue(bytes: Buffer, typeNumber: number, start: number): number {
  if (typeNumber === 8) return start + 8 + Number(bytes.readBigUInt64LE(start));
  if (typeNumber !== 9) return start + sizeOf(typeNumber);
  const elementType = bytes.readUInt32LE(start);
  const count = Number(bytes.readBigUInt64LE(start + 4));
  let position = start + 12;
  if (elementType !== 8) return position + count * sizeOf(elementType);
  for (let index = 0; index < count; index++) position += 8 + Number(bytes.readBigUInt64LE(position));
  return position;
}

function sizeOf(typeNumber: number): number {
  const size = scalarBytes.get(typeNumber);
  if (size === undefined) throw new Error(`metadata of the unknown type ${typeNumber}`);
  return size;
}
