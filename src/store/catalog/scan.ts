import type { Dirent, Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { toPrintable } from '../../core/printable.ts';

/** A GGUF file on disk. */
export interface FoundFile {
  filePath: string;
  /** With symbolic links followed: two paths with the same one are the same file. */
  realPath: string;
  /** Path from the folder that was scanned, with forward slashes. */
  relativePath: string;
  fileName: string;
  /** Names of links in the folder that lead to the same file. */
  linkNames: string[];
  sizeBytes: number;
  modifiedMs: number;
  /** Device and inode: the same for two names of one file. Null: its name cannot be used, so it cannot be opened. */
  inode: string | null;
}

/** What a scan found, and what it left out, as sentences. */
interface ScanResult {
  files: FoundFile[];
  leftOut: string[];
  /** There is no such folder. */
  isMissing: boolean;
}

interface ScanOptions {
  /** Follow symbolic links that lead out of the folder. */
  followLinks: boolean;
}

const mostFiles = 2_000;
const deepestFolder = 8;
/** Entries looked at in all, so that a model folder set to `/` ends. */
const mostEntries = 50_000;
/** Links and folders that are named one by one. */
const mostSentences = 20;
/** So many files are asked for their size at the same time. */
const filesAtOnce = 32;

/** A file that is to be listed, if it is still there. */
type Candidate = Pick<FoundFile, 'filePath' | 'realPath' | 'fileName'> & { isLink: boolean };

/**
 * Finds the GGUF files below a folder, sorted by path. Leaves out names that begin with a dot, whatever is not a
 * regular file and, unless they are followed, symbolic links that lead out of the folder. Never throws: a folder that
 * cannot be read is a sentence in the result.
 */
export async function scanFolder(folder: string, options: ScanOptions): Promise<ScanResult> {
  const root = await realpath(folder).catch(() => null);
  if (root === null) return { files: [], leftOut: [], isMissing: true };
  const { candidates, leftOut } = await collect(folder, root, options);
  const files = await describeAll(folder, candidates);
  files.sort((left, right) => compare(left.relativePath, right.relativePath));
  return { files, leftOut, isMissing: false };
}

async function collect(
  folder: string,
  root: string,
  { followLinks }: ScanOptions,
): Promise<{ candidates: Candidate[]; leftOut: string[] }> {
  const candidates: Candidate[] = [];
  const sentences: string[] = [];
  const seenFolders = new Set<string>();
  let entriesLeft = mostEntries;
  let filesTooMany = 0;

  const shown = (path: string) => toPrintable(relative(folder, path)) || '.';
  const isWithin = (real: string) => real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);

  function add(candidate: Candidate): void {
    if (candidates.length < mostFiles) candidates.push(candidate);
    else filesTooMany++;
  }

  async function walk(path: string, real: string, depth: number): Promise<void> {
    // A link that leads to a folder above itself would otherwise be walked for ever.
    if (seenFolders.has(real)) return;
    seenFolders.add(real);
    const entries = await readdir(path, { withFileTypes: true }).catch((): Dirent[] => {
      sentences.push(`The folder ${shown(path)} cannot be read.`);
      return [];
    });
    const wanted = entries.filter(
      (entry) => !entry.name.startsWith('.') && (!entry.isFile() || isModelName(entry.name)),
    );
    entriesLeft -= entries.length - wanted.length;
    for (const entry of wanted.sort((left, right) => compare(left.name, right.name))) {
      if (entriesLeft-- <= 0) return;
      await visit(join(path, entry.name), join(real, entry.name), entry, depth);
    }
  }

  async function visit(path: string, real: string, entry: Dirent, depth: number): Promise<void> {
    if (entry.isFile()) return add({ filePath: path, realPath: real, fileName: entry.name, isLink: false });
    if (entry.isDirectory()) return enter(path, real, depth);
    if (!entry.isSymbolicLink()) return;
    const target = await realpath(path).catch(() => null);
    const stats = target === null ? null : await stat(target).catch((): Stats | null => null);
    if (target === null && isModelName(entry.name)) sentences.push(`The link ${shown(path)} leads nowhere.`);
    if (target === null || (!stats?.isDirectory() && !(stats?.isFile() && isModelName(entry.name)))) return;
    if (!followLinks && !isWithin(target)) {
      sentences.push(
        `The link ${shown(path)} leads out of the model folder; the setting models.follow_links (HEARTH_FOLLOW_LINKS) lets it in.`,
      );
    } else if (stats.isDirectory()) await enter(path, target, depth);
    else add({ filePath: path, realPath: target, fileName: entry.name, isLink: true });
  }

  async function enter(path: string, real: string, depth: number): Promise<void> {
    if (depth < deepestFolder) await walk(path, real, depth + 1);
    else sentences.push(`The folder ${shown(path)} is nested too deeply.`);
  }

  await walk(folder, root, 0);
  const leftOut = sentences.slice(0, mostSentences);
  if (sentences.length > mostSentences)
    leftOut.push(`${sentences.length - mostSentences} more are left out like these.`);
  if (filesTooMany > 0) {
    leftOut.push(
      `The model folder holds ${mostFiles + filesTooMany} model files; ${mostFiles} are listed, ${filesTooMany} are left out.`,
    );
  }
  if (entriesLeft <= 0) leftOut.push(`The model folder holds more than ${mostEntries} entries; the rest is left out.`);
  return { candidates, leftOut };
}

/** Asks for sizes; of one file under several names the one that is no link is kept, with the names of the links. */
async function describeAll(folder: string, candidates: readonly Candidate[]): Promise<FoundFile[]> {
  const byRealPath = new Map<string, FoundFile>();
  const ordered = [...candidates.filter(({ isLink }) => !isLink), ...candidates.filter(({ isLink }) => isLink)];
  for (let start = 0; start < ordered.length; start += filesAtOnce) {
    const batch = ordered.slice(start, start + filesAtOnce);
    const stats = await Promise.all(batch.map(({ filePath }) => stat(filePath).catch((): Stats | null => null)));
    for (const [index, candidate] of batch.entries()) {
      const twin = byRealPath.get(candidate.realPath);
      if (twin) twin.linkNames.push(candidate.fileName);
      else {
        const found = toFound(folder, candidate, stats[index]!);
        if (found) byRealPath.set(candidate.realPath, found);
      }
    }
  }
  return [...byRealPath.values()];
}

function toFound(folder: string, { filePath, realPath, fileName }: Candidate, stats: Stats | null): FoundFile | null {
  // What is no UTF-8 comes as U+FFFD, and no file has the name that comes of it. All others have gone meanwhile.
  if (stats === null && !fileName.includes('\ufffd')) return null;
  if (stats !== null && !stats.isFile()) return null;
  return {
    filePath,
    realPath,
    relativePath: relative(folder, filePath).split(sep).join('/'),
    fileName,
    linkNames: [],
    sizeBytes: stats?.size ?? 0,
    modifiedMs: stats?.mtimeMs ?? 0,
    inode: stats === null ? null : `${stats.dev}:${stats.ino}`,
  };
}

function isModelName(fileName: string): boolean {
  return fileName.toLowerCase().endsWith('.gguf');
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
    linkNames: [],
    sizeBytes: stats.size,
    modifiedMs: stats.mtimeMs,
    inode: `${stats.dev}:${stats.ino}`,
  };
}

/** By code unit, so that the order does not depend on the machine's language. */
export function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
