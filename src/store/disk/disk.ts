import { mkdir, statfs } from 'node:fs/promises';
import { AppError } from '../../core/errors.ts';
import { gigabytes } from '../../core/format-units.ts';
import { isDiskFull } from '../../files/files.ts';

/** Bytes that an ordinary process may still write to the file system of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Throws `storage_unavailable` with the numbers when `neededBytes` would leave less than the reserve. */
export async function assertSpace(
  folder: string,
  sizes: { neededBytes: number; reserveBytes: number },
  readFreeBytes: (folder: string) => Promise<number> = freeBytes,
): Promise<void> {
  const free = await readFreeBytes(folder).catch((error: unknown) => {
    throw storageError(error);
  });
  if (sizes.neededBytes + sizes.reserveBytes <= free) return;
  throw new AppError(
    'storage_unavailable',
    `${gigabytes(sizes.neededBytes)} more are needed in the model folder, ${gigabytes(free)} are free and ${gigabytes(sizes.reserveBytes)} of them stay so.`,
    {
      fix: 'Delete models that you no longer need, or choose a smaller quantization.',
      details: {
        reason: 'full',
        needed_bytes: sizes.neededBytes,
        free_bytes: free,
        reserve_bytes: sizes.reserveBytes,
      },
    },
  );
}

/** Makes a folder with its parents. Throws `storage_unavailable`. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error);
  });
}

/** What a failed write to the model folder means for a client; paths stay in the cause. */
export function storageError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const isFull = isDiskFull(error);
  return new AppError(
    'storage_unavailable',
    isFull ? 'The disk of the model folder is full.' : `The model folder cannot be written to (${code}).`,
    {
      fix: isFull ? 'Free some space and pull again; what arrived is kept.' : 'Check the folder and its permissions.',
      details: { reason: isFull ? 'full' : 'not_writable' },
      cause: error,
    },
  );
}
