import type { ModelHeader } from '../../core/pull.ts';
import { type ByteSource, createByteReader, withFileSource } from './byte-reader.ts';
import { buildFacts, type GgufFacts } from './facts.ts';
import {
  canonicalQuantization,
  type FileName,
  isProjectorName,
  parseFileName,
  preferredQuantizations,
} from './file-name.ts';
import { toModelHeader } from './header.ts';
import { projectorFile } from './kinds.ts';
import { ggufLimits, invalidModelFile } from './limits.ts';
import { readMetadata } from './metadata.ts';
import { combineParts, combineSplit } from './split.ts';
import { checkExtents, readTensors, type Tensor } from './tensors.ts';

export { purposeOf } from './purpose.ts';
export { bitsPerWeight, weightMixOf, weightMixOfLabel, wholeMixOf } from './weight-mix.ts';
export type { ByteSource, FileName, GgufFacts };
export {
  canonicalQuantization,
  combineParts,
  combineSplit,
  ggufLimits,
  invalidModelFile,
  isProjectorName,
  parseFileName,
  preferredQuantizations,
  projectorFile,
};

/** "GGUF" as a little-endian number. */
const magic = 0x46554747;
const defaultAlignmentBytes = 32;

/**
 * Reads the header of one GGUF file (version 2 or 3, little-endian) and checks it against `ggufLimits`, before any
 * native code sees the file. Reads only the header, in pieces of 1 MiB, and keeps only what `GgufFacts` needs.
 * Throws `invalid_model_file` with `details.reason`, and nothing else, whatever the file holds.
 */
export function readGguf(filePath: string): Promise<GgufFacts> {
  return withFileSource(filePath, readGgufSource);
}

/** As `readGguf`, for all parts of a model in part order; one path is a model in one file. */
export async function readModelFiles(filePaths: readonly string[]): Promise<GgufFacts> {
  if (filePaths.length > ggufLimits.splitParts) {
    throw invalidModelFile(
      'too_many_parts',
      `The model has ${filePaths.length} parts; at most ${ggufLimits.splitParts} are read.`,
    );
  }
  const parts: GgufFacts[] = [];
  for (const filePath of filePaths) parts.push(await readGguf(filePath));
  return combineParts(parts);
}

/** As `readGguf`, over any source of bytes. */
export async function readGgufSource(source: ByteSource): Promise<GgufFacts> {
  const { version, metadata, tensors } = await readParts(source);
  return buildFacts({ version, sizeBytes: source.sizeBytes, metadata, tensors });
}

/** The header of a file as it stands, with every tensor. Throws as `readGguf`. */
export function readGgufHeader(filePath: string): Promise<ModelHeader> {
  return withFileSource(filePath, async (source) => {
    const tensors: Tensor[] = [];
    const { metadata } = await readParts(source, (tensor) => tensors.push(tensor));
    return toModelHeader(metadata, tensors);
  });
}

/** Reads a header and checks what does not depend on the kind of model. */
async function readParts(source: ByteSource, visit?: (tensor: Tensor) => void) {
  const reader = createByteReader(source);
  if (source.sizeBytes === 0) throw invalidModelFile('empty', 'The model file is empty.');
  if (source.sizeBytes < 4) throw invalidModelFile('not_gguf', 'The file is not a GGUF model.');
  await reader.ensure(4);
  if (reader.u32() !== magic) throw invalidModelFile('not_gguf', 'The file is not a GGUF model.');

  await reader.ensure(4);
  const version = reader.u32();
  checkVersion(version);

  await reader.ensure(16);
  const tensorCount = reader.u64();
  const metadataCount = reader.u64();
  const metadata = await readMetadata(reader, metadataCount);
  const alignmentBytes = readAlignment(metadata);
  const tensors = await readTensors(reader, tensorCount, visit);
  const dataStartBytes = Math.ceil(reader.position() / alignmentBytes) * alignmentBytes;
  checkExtents(tensors.extents, { dataStartBytes, sizeBytes: source.sizeBytes, alignmentBytes });
  return { version, metadata, tensors };
}

function checkVersion(version: number): void {
  if (version === 2 || version === 3) return;
  if (version === 1) {
    throw invalidModelFile(
      'version_1',
      'The file is GGUF version 1, which is no longer read; convert the model again.',
    );
  }
  // A small number written the other way round has its low half empty.
  if (version !== 0 && (version & 0xffff) === 0) {
    throw invalidModelFile('big_endian', 'The file is a big-endian GGUF model; only little-endian ones are read.');
  }
  throw invalidModelFile('unsupported_version', `The file is GGUF version ${version}; versions 2 and 3 are read.`);
}

function readAlignment(metadata: Awaited<ReturnType<typeof readMetadata>>): number {
  const entry = metadata.get('general.alignment');
  if (!entry) return defaultAlignmentBytes;
  // llama.cpp takes no other type than u32 here.
  const bytes = entry.type === 'integer' && entry.width === 'u32' ? entry.value : 0;
  const isPowerOfTwo = bytes > 0 && Number.isInteger(Math.log2(bytes));
  if (!isPowerOfTwo || bytes > ggufLimits.alignmentBytes) {
    throw invalidModelFile('bad_alignment', 'The model file has an impossible alignment.');
  }
  return bytes;
}
