import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileSize, removeFiles } from '../../files/files.ts';
import { storageError } from '../disk/disk.ts';
import { type FileHash, type HubFile, invalidAnswer } from '../hub/hub.ts';
import { isSameFile, partPaths, readSidecar, type Sidecar, writeSidecar } from './sidecar.ts';

/** What is downloaded, and where to. */
export interface PartTarget {
  /** Absolute path of the finished file. */
  filePath: string;
  repository: string;
  revision: string;
  file: HubFile;
}

/** A file that is being downloaded: its bytes so far, their running checksum and the sidecar. */
export interface PartFile {
  /** The next byte to write. */
  offsetBytes(): number;
  /** Identity of the file that the bytes so far came from; null: none was given. */
  etag(): string | null;
  /** Notes which file the bytes come from; called before the first of them is written. */
  setEtag(etag: string | null): void;
  /** Appends; makes everything so far durable whenever another piece is full. */
  write(chunk: Buffer): Promise<void>;
  /** Throws everything away and begins at 0. */
  restart(): Promise<void>;
  /** Makes the whole file durable and compares its checksum; a wrong one deletes the part. */
  verify(): Promise<void>;
  /** Makes what arrived durable and lets go of the file. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens the part of a download. Bytes of an earlier try are kept, and read again for the checksum, when the sidecar
 * says that they belong to the same file: same checksum, same size. `pieceBytes`: after so many bytes the part and its
 * sidecar are flushed, so no more than that is fetched again after a crash.
 * Every method rejects with `storage_unavailable` when the disk is full or cannot be written to.
 */
export async function openPart(
  target: PartTarget,
  options: { pieceBytes: number; signal: AbortSignal },
): Promise<PartFile> {
  const { filePath, file } = target;
  const paths = partPaths(filePath);
  const found = await readSidecar(filePath);
  const keeps = found !== null && isSameFile(found, file) && found.durableBytes <= file.sizeBytes;
  const partBytes = await fileSize(paths.part);
  const canGoOn = keeps && partBytes !== null && partBytes >= found.durableBytes;
  if (!canGoOn) await removeFiles([paths.sidecar, paths.part]).catch(rethrowStorage);

  const handle = await open(paths.part, canGoOn ? 'r+' : 'w', 0o644).catch(rethrowStorage);
  let hash = newHash(file.hash, file.sizeBytes);
  let isOpen = true;
  let sidecar: Sidecar = canGoOn
    ? { ...found, revision: target.revision }
    : {
        version: 1,
        repository: target.repository,
        revision: target.revision,
        path: file.path,
        etag: null,
        hash: file.hash,
        sizeBytes: file.sizeBytes,
        durableBytes: 0,
      };
  let offsetBytes = sidecar.durableBytes;

  async function checkpoint(): Promise<void> {
    if (sidecar.durableBytes === offsetBytes) return;
    // In this order: a sidecar never promises bytes that a power cut could take away.
    await handle.datasync();
    sidecar = { ...sidecar, durableBytes: offsetBytes };
    await writeSidecar(filePath, sidecar);
  }

  try {
    // Bytes after the last flush may be holes after a power cut.
    await handle.truncate(offsetBytes);
    // Whatever an earlier run knew: bytes may have changed since, and the whole file is compared in the end.
    await hashPrefix(paths.part, offsetBytes, hash, options.signal);
    // From here on the part has an owner: a crash before the first flush leaves a download that is listed.
    await writeSidecar(filePath, sidecar);
  } catch (error) {
    await handle.close();
    if (options.signal.aborted) throw options.signal.reason;
    throw storageError(error);
  }

  return {
    offsetBytes: () => offsetBytes,
    etag: () => sidecar.etag,
    setEtag(etag) {
      sidecar = { ...sidecar, etag };
    },
    async write(chunk) {
      try {
        let taken = 0;
        while (taken < chunk.length) {
          // Never beyond the end of the piece: more than one piece is never at stake.
          const roomBytes = sidecar.durableBytes + options.pieceBytes - offsetBytes;
          const lengthBytes = Math.min(chunk.length - taken, roomBytes);
          const { bytesWritten } = await handle.write(chunk, taken, lengthBytes, offsetBytes);
          hash.update(chunk.subarray(taken, taken + bytesWritten));
          taken += bytesWritten;
          offsetBytes += bytesWritten;
          if (offsetBytes - sidecar.durableBytes >= options.pieceBytes) await checkpoint();
        }
      } catch (error) {
        throw storageError(error);
      }
    },
    async restart() {
      try {
        sidecar = { ...sidecar, etag: null, durableBytes: 0 };
        await writeSidecar(filePath, sidecar);
        await handle.truncate(0);
        offsetBytes = 0;
        hash = newHash(file.hash, file.sizeBytes);
      } catch (error) {
        throw storageError(error);
      }
    },
    async verify() {
      const digest = hash.digest('hex');
      if (digest !== file.hash.digest) {
        isOpen = false;
        await handle.close();
        await removeFiles([paths.sidecar, paths.part]);
        throw invalidAnswer('checksum_mismatch', 'What arrived is not the file that the hub lists; it was deleted.', {
          expected: file.hash.digest,
          actual: digest,
        });
      }
      try {
        await handle.sync();
        sidecar = { ...sidecar, durableBytes: offsetBytes };
        await writeSidecar(filePath, sidecar);
      } catch (error) {
        throw storageError(error);
      }
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      try {
        await checkpoint();
      } catch {
        // A full disk: the last sidecar stays true, a piece is fetched again.
      } finally {
        await handle.close();
      }
    },
  };
}

/** Checksum of a whole file on disk, for the question whether it is what the hub lists. */
export async function matchesHash(filePath: string, file: HubFile, signal: AbortSignal): Promise<boolean> {
  if ((await fileSize(filePath)) !== file.sizeBytes) return false;
  const hash = newHash(file.hash, file.sizeBytes);
  await hashPrefix(filePath, file.sizeBytes, hash, signal);
  return hash.digest('hex') === file.hash.digest;
}

/** Git hashes a file behind a head with its size. */
function newHash({ algorithm }: FileHash, sizeBytes: number): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${sizeBytes}\0`);
}

async function hashPrefix(path: string, bytes: number, hash: Hash, signal: AbortSignal): Promise<void> {
  if (bytes === 0) return;
  for await (const chunk of createReadStream(path, { end: bytes - 1, highWaterMark: 2 ** 20, signal })) {
    hash.update(chunk as Buffer);
  }
}

function rethrowStorage(error: unknown): never {
  throw storageError(error);
}
