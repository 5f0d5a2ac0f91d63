import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/errors.ts';
import { fileSize, syncFolder } from '../../files/files.ts';
import { assertSpace, makeFolder, storageError } from '../disk/disk.ts';

/** Files that clients sent and that wait to become models. They lie in the model folder, so that they only change their name. */
export interface Blobs {
  /** Throws `invalid_request` for what is no digest. */
  pathOf(digest: string): string;
  has(digest: string): Promise<boolean>;
  save(digest: string, bytes: AsyncIterable<Uint8Array>, sizeBytes: number | null): Promise<void>;
}

/** The scan of models leaves out what begins with a dot. */
const folderName = '.blobs';
/** What nobody made a model of by then is deleted when the next one comes. */
const longestWaitMs = 24 * 60 * 60 * 1_000;

export function createBlobs(deps: {
  /** The model folder, absolute. */
  folder: string;
  reserveBytes: number;
  readFreeBytes?: (folder: string) => Promise<number>;
  now: () => Date;
}): Blobs {
  const folder = join(deps.folder, folderName);
  const pathOf = (digest: string) => join(folder, `sha256-${hexOf(digest)}`);

  /** Never rejects: what cannot be deleted stays. */
  const sweep = async () => {
    for (const name of await readdir(folder).catch(() => [])) {
      const path = join(folder, name);
      const stats = await stat(path).catch(() => null);
      if (stats && deps.now().getTime() - stats.mtimeMs > longestWaitMs)
        await rm(path, { force: true }).catch(() => {});
    }
  };

  return {
    pathOf,
    has: async (digest) => (await fileSize(pathOf(digest))) !== null,
    async save(digest, bytes, sizeBytes) {
      const path = pathOf(digest);
      await makeFolder(folder);
      await sweep();
      const { reserveBytes } = deps;
      await assertSpace(folder, { neededBytes: sizeBytes ?? 0, reserveBytes }, deps.readFreeBytes);
      const temporary = `${path}.${randomBytes(6).toString('hex')}.part`;
      try {
        if ((await writeHashed(temporary, bytes)) !== hexOf(digest)) {
          throw new AppError('invalid_request', 'The bytes of the blob have another digest than its address says.', {
            field: 'digest',
            fix: 'Send it again.',
          });
        }
        await rename(temporary, path);
        await syncFolder(folder);
      } catch (error) {
        throw isOurs(error) ? storageError(error) : error;
      } finally {
        await rm(temporary, { force: true }).catch(() => {});
      }
    },
  };
}

/** The digest of what was written, in hexadecimal digits. */
async function writeHashed(path: string, bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path, 'w', 0o600);
  try {
    for await (const chunk of bytes) {
      hash.update(chunk);
      await handle.write(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

/** Whether the disk failed, and not whoever sends the bytes. */
const isOurs = (error: unknown): boolean => error instanceof Error && 'syscall' in error && 'path' in error;

/** `sha256:…` or `sha256-…`, as Ollama's clients write it. */
function hexOf(digest: string): string {
  const hex = /^sha256[:-]([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex !== undefined) return hex;
  throw new AppError('invalid_request', 'This is not a digest: "sha256:" and 64 hexadecimal digits.', {
    field: 'digest',
  });
}
