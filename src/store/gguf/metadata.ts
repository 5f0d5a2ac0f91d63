import type { ByteReader } from './byte-reader.ts';
import { ggufLimits, invalidModelFile } from './limits.ts';

/**
 * What is kept of one metadata entry. Strings over `keptStringBytes` (templates have more room), arrays of text and long arrays are skipped; of
 * those only the length stays.
 */
type MetadataValue =
  | { type: 'integer'; value: number; width: ScalarName }
  | { type: 'float'; value: number }
  | { type: 'boolean'; value: boolean }
  | { type: 'string'; value: string | null; lengthBytes: number }
  | { type: 'array'; element: string; count: number; values: number[] | null };

export type Metadata = ReadonlyMap<string, MetadataValue>;

type ScalarName = 'u8' | 'i8' | 'u16' | 'i16' | 'u32' | 'i32' | 'u64' | 'i64';

/** GGUF value types by number: 7 is boolean, 8 string, 9 array. */
const scalars: ReadonlyMap<number, { name: ScalarName | 'f32' | 'f64'; bytes: number }> = new Map([
  [0, { name: 'u8', bytes: 1 }],
  [1, { name: 'i8', bytes: 1 }],
  [2, { name: 'u16', bytes: 2 }],
  [3, { name: 'i16', bytes: 2 }],
  [4, { name: 'u32', bytes: 4 }],
  [5, { name: 'i32', bytes: 4 }],
  [6, { name: 'f32', bytes: 4 }],
  [10, { name: 'u64', bytes: 8 }],
  [11, { name: 'i64', bytes: 8 }],
  [12, { name: 'f64', bytes: 8 }],
]);

const keptStringBytes = 1_024;
export const chatTemplateKey = 'tokenizer.chat_template';
/** The longest templates of published models have some 20,000 characters. */
const keptTemplateBytes = 256 * 1_024;
/** Per-layer settings have one value per layer; vocabulary scores and types are longer and of no use here. */
const keptArrayElements = ggufLimits.blocks;
/** All kept arrays of one file together, so that thousands of entries cannot add up. */
const keptArrayElementsInAll = 64 * 1_024;
/** A key's shortest entry: its length, one character, its type, one byte of value. */
const leastEntryBytes = 8 + 1 + 4 + 1;
/** Names that turn into something else when a reader builds nested objects from dotted keys. */
const treacherousKey = /(^|\.)(__proto__|constructor|prototype)(\.|$)/;

/** Reads `count` metadata entries. Throws `invalid_model_file`; never holds more than a few MiB whatever the file says. */
export async function readMetadata(reader: ByteReader, count: number): Promise<Metadata> {
  if (count > ggufLimits.metadataEntries || count * leastEntryBytes > reader.bytesLeft()) {
    throw invalidModelFile('bad_metadata_count', 'The model file claims more metadata than it can hold.');
  }
  const metadata = new Map<string, MetadataValue>();
  const keeping = { elementsLeft: keptArrayElementsInAll };
  for (let index = 0; index < count; index++) {
    const key = await readKey(reader);
    if (metadata.has(key)) throw invalidModelFile('duplicate_key', 'The model file has the same metadata key twice.');
    metadata.set(key, await readValue(reader, keeping, key === chatTemplateKey ? keptTemplateBytes : keptStringBytes));
  }
  return metadata;
}

async function readKey(reader: ByteReader): Promise<string> {
  await reader.ensure(8);
  const lengthBytes = reader.u64();
  if (lengthBytes === 0 || lengthBytes > ggufLimits.keyBytes) {
    throw invalidModelFile('bad_key_length', 'The model file has a metadata key that is empty or too long.');
  }
  await reader.ensure(lengthBytes);
  const key = reader.latin1(lengthBytes);
  if (treacherousKey.test(key))
    throw invalidModelFile('bad_key', 'The model file has a metadata key that is not allowed.');
  return key;
}

async function readValue(
  reader: ByteReader,
  keeping: { elementsLeft: number },
  mostStringBytes: number,
): Promise<MetadataValue> {
  await reader.ensure(4);
  const type = reader.u32();
  const scalar = scalars.get(type);
  if (scalar) {
    await reader.ensure(scalar.bytes);
    const value = reader[scalar.name]();
    if (scalar.name === 'f32' || scalar.name === 'f64') return { type: 'float', value };
    return { type: 'integer', value, width: scalar.name };
  }
  if (type === 7) {
    await reader.ensure(1);
    const value = reader.u8();
    if (value > 1) throw invalidModelFile('bad_boolean', 'The model file has a truth value that is neither 0 nor 1.');
    return { type: 'boolean', value: value === 1 };
  }
  if (type === 8) {
    await reader.ensure(8);
    const lengthBytes = checkedStringLength(reader);
    if (lengthBytes > mostStringBytes) {
      reader.skip(lengthBytes);
      return { type: 'string', value: null, lengthBytes };
    }
    await reader.ensure(lengthBytes);
    return { type: 'string', value: reader.utf8(lengthBytes), lengthBytes };
  }
  if (type === 9) return readArray(reader, keeping);
  throw invalidModelFile('bad_value_type', 'The model file has a metadata value of an unknown type.');
}

async function readArray(reader: ByteReader, keeping: { elementsLeft: number }): Promise<MetadataValue> {
  await reader.ensure(12);
  const type = reader.u32();
  const count = reader.u64();
  if (type === 9) throw invalidModelFile('nested_array', 'The model file has an array of arrays, which no model uses.');
  if (count > (type === 8 ? ggufLimits.textArrayElements : ggufLimits.arrayElements)) {
    throw invalidModelFile('bad_array_length', 'The model file has a metadata array that is too long.');
  }
  if (type === 8) {
    if (count * 8 > reader.bytesLeft()) throw truncatedArray();
    for (let index = 0; index < count; index++) {
      if (!reader.has(8)) await reader.ensure(8);
      reader.skip(checkedStringLength(reader));
    }
    return { type: 'array', element: 'string', count, values: null };
  }
  const element = type === 7 ? { name: 'u8' as const, bytes: 1 } : scalars.get(type);
  if (!element) throw invalidModelFile('bad_value_type', 'The model file has a metadata array of an unknown type.');
  if (count * element.bytes > reader.bytesLeft()) throw truncatedArray();
  if (count > keptArrayElements || count > keeping.elementsLeft) {
    reader.skip(count * element.bytes);
    return { type: 'array', element: element.name, count, values: null };
  }
  keeping.elementsLeft -= count;
  await reader.ensure(count * element.bytes);
  const values = Array.from({ length: count }, () => reader[element.name]());
  return { type: 'array', element: element.name, count, values };
}

function checkedStringLength(reader: ByteReader): number {
  const lengthBytes = reader.u64();
  if (lengthBytes > ggufLimits.stringBytes) {
    throw invalidModelFile('bad_string_length', 'The model file has a text that is longer than 16 MiB.');
  }
  return lengthBytes;
}

function truncatedArray() {
  return invalidModelFile('truncated', 'The model file ends within a metadata array; it was not copied completely.');
}
