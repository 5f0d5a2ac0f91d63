import type { ByteSource } from '../gguf/gguf.ts';
import { getFileBytes } from './file-response.ts';
import type { HubFile } from './hub-file.ts';
import type { HubHttp } from './hub-http.ts';

/** First request; later ones double up to the largest, so that a small header costs little and a large one few requests. */
const firstChunkBytes = 2 ** 20;
const largestChunkBytes = 8 * 2 ** 20;

/**
 * A file at the hub as a source of bytes, for reading its header without its body: ranges are fetched front to back
 * and read ahead. Rejects as `getFileBytes` does.
 */
export function createRemoteSource(deps: {
  http: HubHttp;
  url: URL;
  file: HubFile;
  signal: AbortSignal;
  onBytes: (bytes: number) => void;
}): ByteSource {
  const { http, url, file, signal } = deps;
  let held: Buffer = Buffer.alloc(0);
  let heldFromBytes = 0;
  let chunkBytes = firstChunkBytes;

  async function fetchFrom(startBytes: number, leastBytes: number): Promise<void> {
    const wanted = Math.min(Math.max(leastBytes, chunkBytes), file.sizeBytes - startBytes);
    chunkBytes = Math.min(chunkBytes * 2, largestChunkBytes);
    const answer = await getFileBytes(http, url, file, { startBytes, endBytes: startBytes + wanted }, signal);
    // A server without ranges starts at 0; what lies before is skipped and what comes after is not read.
    let skipBytes = startBytes - answer.startBytes;
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.response.chunks()) {
      deps.onBytes(chunk.length);
      const useful = chunk.subarray(Math.min(skipBytes, chunk.length));
      skipBytes -= chunk.length - useful.length;
      chunks.push(useful);
      bytes += useful.length;
      if (bytes >= wanted) break;
    }
    held = Buffer.concat(chunks).subarray(0, wanted);
    heldFromBytes = startBytes;
  }

  return {
    sizeBytes: file.sizeBytes,
    async read(offsetBytes, lengthBytes) {
      const lengthLeft = Math.min(lengthBytes, file.sizeBytes - offsetBytes);
      if (lengthLeft <= 0) return Buffer.alloc(0);
      const from = offsetBytes - heldFromBytes;
      if (from < 0 || from + lengthLeft > held.length) await fetchFrom(offsetBytes, lengthLeft);
      const start = offsetBytes - heldFromBytes;
      return held.subarray(start, start + lengthLeft);
    },
  };
}
