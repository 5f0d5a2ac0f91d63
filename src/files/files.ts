import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Size of a regular file; null when there is none. */
export async function fileSize(path: string): Promise<number | null> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? stats.size : null;
  } catch {
    // Not there, or not to be seen: for us the same.
    return null;
  }
}

/** Makes new, renamed and deleted names of a folder last through a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows and some network file systems cannot sync a folder; there the rename itself has to do.
  }
}

/**
 * Replaces a small file so that a reader, also after a power cut, finds the old or the new one, whole. `temporary`: its
 * name until then, which the next call overwrites if a crash left it behind; two writers of one path at a time need
 * one each.
 */
export async function replaceFile(path: string, text: string, temporary = `${path}.tmp`): Promise<void> {
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(text);
      // Without it a power cut may leave the new name with no content.
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // Not there any more, or in a folder that is none: what went wrong is in the error.
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * As `replaceFile`, for callers that cannot wait. It does not wait for the disk either, which would hold up everybody:
 * after a power cut the file may be empty.
 */
export function replaceFileSync(path: string, text: string, temporary = `${path}.tmp`): void {
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // As above.
    }
    throw error;
  }
}

/** Whether an error of the file system says that there is no room: on the disk, for this user, or in a file of this system. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(error.code));
}

/** Deletes files; those that are not there count as deleted. */
export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}
