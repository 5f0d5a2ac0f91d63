import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** One file of the built page, ready to be sent. */
export interface BuiltFile {
  type: string;
  bytes: Buffer;
  /** Null: it does not become smaller. */
  gzipped: Buffer | null;
  etag: string;
  /** Its name says what is in it, so that a copy is good for ever. */
  isNamedByContent: boolean;
}

/** By their paths below the folder, `index.html` among them. */
export type BuiltFiles = ReadonlyMap<string, BuiltFile>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

const compress = promisify(gzip);

/**
 * The files of the built page, kept in memory from the first request on, and read again when it was built anew. Resolves with
 * null while it is not built.
 */
export function createBuiltFiles(folder: string): () => Promise<BuiltFiles | null> {
  let kept: { builtMs: number; files: Promise<BuiltFiles> } | null = null;
  return async () => {
    const index = await stat(join(folder, 'index.html')).catch(() => null);
    if (index === null) return null;
    if (kept?.builtMs !== index.mtimeMs) {
      const files = readAll(folder);
      kept = { builtMs: index.mtimeMs, files };
      // A failure is this request's; the next one tries again.
      files.catch(() => {
        kept = null;
      });
    }
    return kept.files;
  };
}

async function readAll(folder: string): Promise<BuiltFiles> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile() && extname(entry.name) in types)
      .map(async ({ parentPath, name }): Promise<[string, BuiltFile]> => {
        const path = join(parentPath, name);
        const below = path.slice(folder.length).replaceAll('\\', '/').replace(/^\/+/, '');
        return [below, await readOne(path, below)];
      }),
  );
  return new Map(files);
}

async function readOne(path: string, below: string): Promise<BuiltFile> {
  const bytes = await readFile(path);
  const gzipped = await compress(bytes, { level: 9 });
  return {
    type: types[extname(path)]!,
    bytes,
    gzipped: gzipped.length < bytes.length ? gzipped : null,
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`,
    isNamedByContent: below.startsWith('assets/'),
  };
}
