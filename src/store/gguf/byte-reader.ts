import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { ggufLimits, invalidModelFile } from './limits.ts';

/**
 * Random access to the bytes of a file. `read` may return fewer bytes than asked for only at the end; what it returned
 * is valid until it is called again.
 */
export interface ByteSource {
  readonly sizeBytes: number;
  read(offsetBytes: number, lengthBytes: number): Promise<Buffer>;
}

const chunkBytes = 2 ** 20;

/**
 * Opens a regular file as a byte source, hands it to `use` and closes it. Folders, pipes, sockets and devices are
 * refused without reading. Throws `invalid_model_file` when the file cannot be opened or read.
 */
export async function withFileSource<T>(filePath: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  // Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
  const handle = await open(filePath, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw invalidModelFile('unreadable', 'The model file cannot be opened.', error);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw invalidModelFile('not_a_file', 'The model is not a regular file.');
    // One buffer for all chunks: a new one each time would pile up until the next garbage collection.
    let memory = Buffer.alloc(0);
    return await use({
      sizeBytes: stats.size,
      async read(offsetBytes, lengthBytes) {
        if (memory.length < lengthBytes) memory = Buffer.allocUnsafe(lengthBytes);
        const { bytesRead } = await handle.read(memory, 0, lengthBytes, offsetBytes).catch((error: unknown) => {
          throw invalidModelFile('unreadable', 'The model file cannot be read.', error);
        });
        return memory.subarray(0, bytesRead);
      },
    });
  } finally {
    await handle.close();
  }
}

/**
 * Reads little-endian values front to back through one buffer of at most 1 MiB (more only for a single longer
 * value). `ensure` is asynchronous and fills the buffer; the getters after it are synchronous, so that long arrays
 * of strings cost one promise per chunk and the event loop turns between chunks.
 */
export function createByteReader(source: ByteSource) {
  let buffer: Buffer = Buffer.alloc(0);
  /** Position in the file of the buffer's first byte. */
  let bufferStartBytes = 0;
  /** Next byte to read, within the buffer. */
  let cursor = 0;

  const position = () => bufferStartBytes + cursor;

  /** Throws when the file ends, or the header gets longer than allowed, within the next `lengthBytes`. */
  function demand(lengthBytes: number): void {
    if (position() + lengthBytes > source.sizeBytes) {
      throw invalidModelFile('truncated', 'The model file ends within its header; it was not copied completely.');
    }
    if (position() + lengthBytes > ggufLimits.headerBytes) {
      throw invalidModelFile('header_too_large', 'The header of the model file is larger than any real model has.');
    }
  }

  async function refill(lengthBytes: number): Promise<void> {
    demand(lengthBytes);
    const start = position();
    const wanted = Math.min(Math.max(lengthBytes, chunkBytes), source.sizeBytes - start);
    buffer = await source.read(start, wanted);
    bufferStartBytes = start;
    cursor = 0;
    // The file may have shrunk since its size was taken.
    if (buffer.length < lengthBytes)
      throw invalidModelFile('truncated', 'The model file got shorter while it was read.');
  }

  function take(lengthBytes: number): number {
    const at = cursor;
    cursor += lengthBytes;
    return at;
  }

  return {
    position,
    bytesLeft: () => source.sizeBytes - position(),
    has: (lengthBytes: number) => buffer.length - cursor >= lengthBytes,
    /** Makes the next `lengthBytes` available to the getters. Callers on hot paths ask `has` first. */
    async ensure(lengthBytes: number): Promise<void> {
      if (buffer.length - cursor < lengthBytes) await refill(lengthBytes);
    },
    /** Goes forward without reading what is not in the buffer yet. */
    skip(lengthBytes: number): void {
      demand(lengthBytes);
      cursor += lengthBytes;
      if (cursor > buffer.length) {
        bufferStartBytes += cursor;
        buffer = Buffer.alloc(0);
        cursor = 0;
      }
    },
    u8: () => buffer.readUInt8(take(1)),
    i8: () => buffer.readInt8(take(1)),
    u16: () => buffer.readUInt16LE(take(2)),
    i16: () => buffer.readInt16LE(take(2)),
    u32: () => buffer.readUInt32LE(take(4)),
    i32: () => buffer.readInt32LE(take(4)),
    f32: () => buffer.readFloatLE(take(4)),
    f64: () => buffer.readDoubleLE(take(8)),
    /** Beyond 2^53 the result is rounded; it is then far over every limit that it is compared with. */
    u64(): number {
      const low = buffer.readUInt32LE(take(4));
      return buffer.readUInt32LE(take(4)) * 2 ** 32 + low;
    },
    i64(): number {
      const low = buffer.readUInt32LE(take(4));
      return buffer.readInt32LE(take(4)) * 2 ** 32 + low;
    },
    /** Bytes as text, one character per byte, so that different bytes never become the same text. */
    latin1: (lengthBytes: number) => buffer.toString('latin1', take(lengthBytes), cursor),
    utf8: (lengthBytes: number) => buffer.toString('utf8', take(lengthBytes), cursor),
  };
}

export type ByteReader = ReturnType<typeof createByteReader>;
