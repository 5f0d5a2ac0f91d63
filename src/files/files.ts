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

/** Replaces a small file so that a reader, also after a power cut, finds the old or the new one, whole. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Deletes files; those that are not there count as deleted. */
export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}
