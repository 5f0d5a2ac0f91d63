import type { Dirent, Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';

/** A GGUF file on disk. */
export interface FoundFile {
  filePath: string;
  /** With symbolic links followed: two paths with the same one are the same file. */
  realPath: string;
  /** Path from the folder that was scanned, with forward slashes. */
  relativePath: string;
  fileName: string;
  sizeBytes: number;
  modifiedMs: number;
}

/** What a scan found; `problems` are sentences for the log. */
interface ScanResult {
  files: FoundFile[];
  problems: string[];
}

const mostFiles = 2_000;
const deepestFolder = 8;
/** Entries looked at in all, so that a model folder set to `/` ends. */
const mostEntries = 50_000;

/**
 * Finds the GGUF files below a folder, sorted by path. Leaves out names that begin with a dot, whatever is not a
 * regular file, and symbolic links that lead out of the folder. Never throws: a folder that cannot be read is a
 * problem in the result.
 */
export async function scanFolder(folder: string): Promise<ScanResult> {
  const result: ScanResult = { files: [], problems: [] };
  const root = await realpath(folder).catch(() => null);
  if (root === null) return { files: [], problems: ['The model folder is missing.'] };
  const seenFolders = new Set<string>();
  const seenFiles = new Set<string>();
  let entriesLeft = mostEntries;

  async function walk(path: string, depth: number): Promise<void> {
    const real = await realpath(path).catch(() => null);
    // A link that leads to a folder above itself would otherwise be walked for ever.
    if (real === null || seenFolders.has(real)) return;
    seenFolders.add(real);
    const entries = await readdir(path, { withFileTypes: true }).catch((): Dirent[] => {
      result.problems.push(`The folder ${relative(folder, path) || '.'} cannot be read.`);
      return [];
    });
    for (const entry of entries.sort((left, right) => compare(left.name, right.name))) {
      if (entriesLeft-- <= 0 || result.files.length >= mostFiles) return;
      if (!entry.name.startsWith('.')) await visit(join(path, entry.name), entry, depth);
    }
  }

  async function visit(path: string, entry: Dirent, depth: number): Promise<void> {
    if (!entry.isDirectory() && !entry.isFile() && !entry.isSymbolicLink()) return;
    const isModelName = entry.name.toLowerCase().endsWith('.gguf');
    if (entry.isFile() && !isModelName) return;
    const real = await realpath(path).catch(() => null);
    if (real === null) return;
    if (real !== root && !real.startsWith(root!.endsWith(sep) ? root! : root! + sep)) {
      result.problems.push(`The link ${relative(folder, path)} leads out of the model folder and is left out.`);
      return;
    }
    const stats = await stat(path).catch((): Stats | null => null);
    if (stats?.isDirectory()) {
      if (depth < deepestFolder) await walk(path, depth + 1);
      else result.problems.push(`The folder ${relative(folder, path)} is nested too deeply.`);
    } else if (stats?.isFile() && isModelName && !seenFiles.has(real)) {
      seenFiles.add(real);
      result.files.push({
        filePath: path,
        realPath: real,
        relativePath: relative(folder, path).split(sep).join('/'),
        fileName: entry.name,
        sizeBytes: stats.size,
        modifiedMs: stats.mtimeMs,
      });
    }
  }

  await walk(folder, 0);
  if (entriesLeft <= 0 || result.files.length >= mostFiles) {
    result.problems.push(`The model folder holds too much; only ${result.files.length} files of it are listed.`);
  }
  result.files.sort((left, right) => compare(left.relativePath, right.relativePath));
  return result;
}

/** One file by its absolute path; null when it is not there or not a regular file. */
export async function describeFile(filePath: string): Promise<FoundFile | null> {
  const real = await realpath(filePath).catch(() => null);
  const stats = real === null ? null : await stat(real).catch((): Stats | null => null);
  if (real === null || !stats?.isFile()) return null;
  const fileName = basename(filePath);
  return {
    filePath,
    realPath: real,
    relativePath: fileName,
    fileName,
    sizeBytes: stats.size,
    modifiedMs: stats.mtimeMs,
  };
}

/** By code unit, so that the order does not depend on the machine's language. */
export function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
