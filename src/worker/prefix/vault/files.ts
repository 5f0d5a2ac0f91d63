import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readdir, readFile, rename, rm, unlink, utimes } from 'node:fs/promises';

/** What stands in a folder; a link to a folder is none. */
interface FolderItem {
  name: string;
  isFolder: boolean;
}

/** Size and SHA-256 (hex) of a file's content. */
interface Checksum {
  bytes: number;
  sha256: string;
}

/**
 * All that the vault does to a disk. Every call is one step that can fail by itself, so that a test can fail each of
 * them in turn. Rejections are Node's own system errors.
 */
export interface VaultFiles {
  /** Makes a folder and those above it; one that exists is fine. */
  makeFolder(path: string): Promise<void>;
  list(path: string): Promise<FolderItem[]>;
  /** Does not follow links. */
  stat(path: string): Promise<{ bytes: number; modifiedMs: number }>;
  readText(path: string): Promise<string>;
  /** Writes a whole file and waits until it is on the disk. */
  writeText(path: string, text: string): Promise<void>;
  checksum(path: string): Promise<Checksum>;
  /** Waits until the content of a file, or the names in a folder, are on the disk. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is not there is fine. */
  remove(path: string): Promise<void>;
  /** Removes a folder with all that is in it; links in it are removed, not followed. */
  removeFolder(path: string): Promise<void>;
  /** Sets the modification time, in milliseconds of wall time. */
  touch(path: string, modifiedMs: number): Promise<void>;
}

/** Read at a time: the thread of the decoder takes this long a pause (about 1 ms) and no longer. */
const chunkBytes = 1024 * 1024;

/** The disk of the machine. States hold what people wrote, so only the owner of the process may read them. */
export const nodeFiles: VaultFiles = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  async list(path) {
    const found = await readdir(path, { withFileTypes: true });
    return found.map((item) => ({ name: item.name, isFolder: item.isDirectory() }));
  },
  async stat(path) {
    const { size, mtimeMs } = await lstat(path);
    return { bytes: size, modifiedMs: mtimeMs };
  },
  readText: (path) => readFile(path, 'utf8'),
  async writeText(path, text) {
    await using file = await open(path, 'w', 0o600);
    await file.writeFile(text);
    await file.sync();
  },
  async checksum(path) {
    await using file = await open(path, 'r');
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(chunkBytes);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest('hex') };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  },
  async sync(path) {
    await using file = await open(path, 'r');
    await file.sync();
  },
  rename,
  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  },
  async removeFolder(path) {
    await rm(path, { recursive: true, force: true });
  },
  async touch(path, modifiedMs) {
    const seconds = modifiedMs / 1000;
    await utimes(path, seconds, seconds);
  },
};
