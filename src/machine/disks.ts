import { statfs } from 'node:fs/promises';

/** Bytes of the disks that folders lie on. A folder that is not there yet has no disk to tell of. */
export async function disksOf(folders: Record<'models' | 'data', string>) {
  const names = ['models', 'data'] as const;
  const disks = await Promise.all(
    names.map(async (folder) => {
      const stats = await statfs(folders[folder]).catch(() => null);
      return stats && { folder, freeBytes: stats.bavail * stats.bsize, totalBytes: stats.blocks * stats.bsize };
    }),
  );
  return disks.filter((disk) => disk !== null);
}
