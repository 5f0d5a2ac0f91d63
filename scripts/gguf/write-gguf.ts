import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { aligned, ggufHeader, type MetadataEntry } from './header.ts';

/** A tensor of a file and how its bytes come about, piece by piece. */
export interface PlannedTensor {
  name: string;
  /** Elements per row first. */
  dimensions: readonly number[];
  /** Number of the storage type in GGUF. */
  typeNumber: number;
  sizeBytes: number;
  pieces(): Iterable<Buffer>;
}

/**
 * Writes a GGUF file piece by piece, under another name until it is whole; folders are made. Returns its size in bytes.
 * Rejects with the file system's error, and leaves nothing behind then.
 */
export async function writeGguf(options: {
  filePath: string;
  metadata: readonly MetadataEntry[];
  tensors: readonly PlannedTensor[];
}): Promise<number> {
  const { filePath, metadata, tensors } = options;
  let offsetBytes = 0;
  const entries = tensors.map(({ name, dimensions, typeNumber, sizeBytes }) => {
    const entry = { name, dimensions, typeNumber, offsetBytes };
    offsetBytes += aligned(sizeBytes);
    return entry;
  });
  await mkdir(dirname(filePath), { recursive: true });
  const partPath = `${filePath}.${process.pid}.part`;
  const file = await open(partPath, 'w');
  let writtenBytes = 0;
  const write = async (bytes: Buffer) => {
    await file.writeFile(bytes);
    writtenBytes += bytes.length;
  };
  try {
    await write(ggufHeader(metadata, entries));
    for (const tensor of tensors) {
      for (const piece of tensor.pieces()) await write(piece);
      await write(Buffer.alloc(aligned(tensor.sizeBytes) - tensor.sizeBytes));
    }
    await file.close();
    await rename(partPath, filePath);
  } catch (error) {
    await file.close().catch(() => {
      // Closed before; what failed is thrown below.
    });
    await rm(partPath, { force: true });
    throw error;
  }
  return writtenBytes;
}
