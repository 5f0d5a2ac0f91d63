import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fileSize, replaceFile } from '../../files/files.ts';
import { fileHash, type HubFile } from '../hub/hub.ts';

/** What stands beside a part of a download, in `<file>.part.json`. */
const sidecarSchema = z.object({
  version: z.literal(1),
  repository: z.string(),
  revision: z.string(),
  path: z.string(),
  /** Identity of the file at the hub; null when the hub gave none. */
  etag: z.string().nullable(),
  hash: fileHash,
  sizeBytes: z.int().min(0),
  /** So many bytes of the part are known to be on disk. */
  durableBytes: z.int().min(0),
});

export type Sidecar = z.infer<typeof sidecarSchema>;

/** Files of a download that lie beside the finished one. */
export function partPaths(filePath: string): { part: string; sidecar: string } {
  return { part: `${filePath}.part`, sidecar: `${filePath}.part.json` };
}

/** Reads a sidecar; null when there is none or it is not one. Never rejects. */
export async function readSidecar(filePath: string): Promise<Sidecar | null> {
  try {
    const text = await readFile(partPaths(filePath).sidecar, 'utf8');
    return sidecarSchema.parse(JSON.parse(text));
  } catch {
    // A part without a readable sidecar is a part of nothing: the download begins again.
    return null;
  }
}

export function writeSidecar(filePath: string, sidecar: Sidecar): Promise<void> {
  return replaceFile(partPaths(filePath).sidecar, `${JSON.stringify(sidecar)}\n`);
}

/** Bytes from which a download of this file could go on. Never rejects. */
export async function durableBytesOf(filePath: string, digest: string): Promise<number> {
  const sidecar = await readSidecar(filePath);
  if (sidecar === null || sidecar.hash.digest !== digest) return 0;
  const partBytes = await fileSize(partPaths(filePath).part);
  return partBytes === null || partBytes < sidecar.durableBytes ? 0 : sidecar.durableBytes;
}

/** Whether the bytes beside it belong to the file that the hub lists. */
export function isSameFile(sidecar: Sidecar, file: Pick<HubFile, 'hash' | 'sizeBytes'>): boolean {
  return sidecar.hash.digest === file.hash.digest && sidecar.sizeBytes === file.sizeBytes;
}
