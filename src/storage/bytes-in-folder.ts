import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../core/errors.ts';
import { syncFolder } from '../files/files.ts';
import { isOtherProcess } from '../files/processes.ts';
import type { ByteKeeper } from './byte-keeper.ts';

/** So long a file that nobody knows stays: the process that is about to make it known may be another one. */
const strayMs = 24 * 3_600_000;
const draftName = /\.(?<pid>\d+)\.part$/;

/** Bytes in files of a folder, named by their ids; one that is being written has the number of its process in its name. */
export function keepInFolder({ folder, now }: { folder: string; now: () => Date }): ByteKeeper {
  const pathOf = (id: string) => join(folder, id);
  const draftPath = (draft: string) => join(folder, `${draft}.${process.pid}.part`);
  /** Drafts of this process. One of its number that is not among them is of an earlier life: in a container all have number 1. */
  const drafts = new Set<string>();
  const discard = async (draft: string) => {
    await rm(draftPath(draft), { force: true });
    drafts.delete(draftPath(draft));
  };

  return {
    async write(draft, bytes) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      drafts.add(draftPath(draft));
      try {
        return await writeAll(draftPath(draft), bytes);
      } catch (error) {
        await discard(draft).catch(() => {
          // What failed is in the error.
        });
        throw error;
      }
    },
    async settle(draft, id) {
      await rename(draftPath(draft), pathOf(id));
      drafts.delete(draftPath(draft));
      await syncFolder(folder);
    },
    discard,
    async *read(id, { first, last }) {
      if (last < first) return;
      try {
        yield* createReadStream(pathOf(id), { start: first, end: last }) as AsyncIterable<Uint8Array>;
      } catch (error) {
        if (!isMissing(error)) throw error;
        throw new AppError('not_found', 'The bytes of this file are gone.', { cause: error });
      }
    },
    remove: (id) => rm(pathOf(id), { force: true }),
    async sweep(known) {
      const names = await readdir(folder).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      });
      for (const name of names) {
        const pid = draftName.exec(name)?.groups?.['pid'];
        if (pid === undefined || drafts.has(join(folder, name)) || isOtherProcess(Number(pid))) continue;
        await rm(join(folder, name), { force: true });
      }
      const settled = names.filter((name) => !draftName.test(name));
      const kept = await known(settled);
      for (const name of settled) {
        if (kept.has(name)) continue;
        const changed = await stat(pathOf(name)).catch(() => null);
        if (changed && now().getTime() - changed.mtimeMs > strayMs) await rm(pathOf(name), { force: true });
      }
    },
  };
}

async function writeAll(path: string, bytes: AsyncIterable<Uint8Array>): Promise<number> {
  const handle = await open(path, 'w', 0o600);
  try {
    let size = 0;
    for await (const piece of bytes) {
      await handle.writeFile(piece);
      size += piece.length;
    }
    await handle.datasync();
    return size;
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
