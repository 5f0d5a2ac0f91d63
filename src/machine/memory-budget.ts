import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { findCgroups, type ReadFile } from './cgroup.ts';

/** Readings of the machine that a budget is made of. */
export interface MemoryReader {
  readFile: ReadFile;
  /** The limit that Node sees, 0 or undefined for none; catches what the files do not show. */
  constrainedBytes: number | undefined;
  /** Used only where `/proc/meminfo` is missing. */
  hostTotalBytes: number;
  hostAvailableBytes: number;
}

interface MemoryOptions {
  /** Left to others: taken off total and available; null: what suits the machine. */
  reserveBytes: number | null;
  /** Upper bound set by the operator, or null. */
  limitBytes: number | null;
  /** Physical memory of the server and its workers now; counts against `limitBytes`. Default 0. */
  ownBytes?: number;
}

type MemorySource = 'cgroup-v2' | 'cgroup-v1' | 'host' | 'process' | 'config';

/** One bound on memory, before the reserve. */
export interface MemoryLimit {
  source: MemorySource;
  totalBytes: number;
  availableBytes: number;
}

/** What Hearth may use, the reserve taken off. */
export interface MemoryBudget {
  /** Server and models together. */
  totalBytes: number;
  /** Free for new allocations now; files in the page cache count as free. */
  availableBytes: number;
  /** Taken off both. */
  reserveBytes: number;
  /** Where the least total comes from. */
  source: MemorySource;
  /** Every bound that was found. */
  limits: MemoryLimit[];
}

const mostReserveBytes = 256 * 2 ** 20;
/** The server and a small model take nearly this much; others get a share of what is beyond. */
const ownBytesAtLeast = 256 * 2 ** 20;
const reserveShare = 1 / 4;

/**
 * How much memory Hearth may use: the least of host, container (every level of cgroup v2 or v1), what Node sees and
 * the operator's own limit, less the reserve. The least total and the least available may come from different bounds.
 * Never throws; never negative.
 */
export function readMemoryBudget(reader: MemoryReader, options: MemoryOptions): MemoryBudget {
  const limits = [hostLimit(reader), ...cgroupLimits(reader.readFile)];
  const { constrainedBytes } = reader;
  const ownBytes = options.ownBytes ?? 0;
  if (constrainedBytes !== undefined && constrainedBytes > 0) {
    const leastTotal = Math.min(...limits.map((limit) => limit.totalBytes));
    // Only of use when the files were not visible; otherwise it repeats one of them.
    if (constrainedBytes < leastTotal) limits.push(limitOver('process', constrainedBytes, ownBytes));
  }
  if (options.limitBytes !== null) limits.push(limitOver('config', options.limitBytes, ownBytes));
  const least = limits.reduce((best, limit) => (limit.totalBytes < best.totalBytes ? limit : best));
  const leastAvailable = Math.min(...limits.map((limit) => limit.availableBytes));
  const reserveBytes = options.reserveBytes ?? defaultReserve(least.totalBytes);
  const totalBytes = Math.max(0, least.totalBytes - reserveBytes);
  return {
    totalBytes,
    availableBytes: Math.min(totalBytes, Math.max(0, leastAvailable - reserveBytes)),
    reserveBytes,
    source: least.source,
    limits,
  };
}

function defaultReserve(totalBytes: number): number {
  const beyond = Math.max(0, totalBytes - ownBytesAtLeast);
  return Math.min(mostReserveBytes, Math.floor(beyond * reserveShare));
}

/** Reads this machine. */
export function systemMemoryReader(): MemoryReader {
  return {
    readFile: readSystemText,
    constrainedBytes: process.constrainedMemory(),
    hostTotalBytes: totalmem(),
    hostAvailableBytes: process.availableMemory(),
  };
}

/** A `ReadFile` over the real file system, for files of `/proc` and `/sys`. */
export function readSystemText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Which of these files exist differs from machine to machine; a missing one is an answer.
    return null;
  }
}

function hostLimit(reader: MemoryReader): MemoryLimit {
  const info = parseTable(reader.readFile('/proc/meminfo') ?? '');
  const kib = (key: string) => {
    const value = info.get(key);
    return value === undefined ? null : value * 1_024;
  };
  const totalBytes = kib('MemTotal') ?? reader.hostTotalBytes;
  // Kernels before 3.14, still found on old devices, do not have MemAvailable.
  const free = kib('MemFree');
  const estimate = free === null ? null : free + (kib('Buffers') ?? 0) + (kib('Cached') ?? 0) - (kib('Shmem') ?? 0);
  const availableBytes = kib('MemAvailable') ?? estimate ?? reader.hostAvailableBytes;
  return { source: 'host', totalBytes, availableBytes: Math.min(totalBytes, Math.max(0, availableBytes)) };
}

/** Every limit on the way from this process's group to the root. */
function cgroupLimits(readFile: ReadFile): MemoryLimit[] {
  const limits: MemoryLimit[] = [];
  for (const { version, folders } of findCgroups(readFile, 'memory')) {
    for (const folder of folders) {
      const limit = version === 2 ? readVersion2(readFile, folder) : readVersion1(readFile, folder);
      if (limit) limits.push(limit);
    }
  }
  return limits;
}

function readVersion2(readFile: ReadFile, folder: string): MemoryLimit | null {
  const max = parseAmount(readFile(`${folder}/memory.max`));
  // Above `high` the kernel slows the group down to a crawl, which is no better than a limit.
  const high = parseAmount(readFile(`${folder}/memory.high`));
  const totalBytes = Math.min(max ?? Number.POSITIVE_INFINITY, high ?? Number.POSITIVE_INFINITY);
  const usedBytes = parseAmount(readFile(`${folder}/memory.current`));
  if (!Number.isFinite(totalBytes)) return null;
  const stat = parseTable(readFile(`${folder}/memory.stat`) ?? '');
  const reclaimable = (stat.get('inactive_file') ?? 0) + (stat.get('active_file') ?? 0);
  return limitOver('cgroup-v2', totalBytes, (usedBytes ?? 0) - reclaimable);
}

function readVersion1(readFile: ReadFile, folder: string): MemoryLimit | null {
  const stat = parseTable(readFile(`${folder}/memory.stat`) ?? '');
  const own = parseAmount(readFile(`${folder}/memory.limit_in_bytes`)) ?? Number.POSITIVE_INFINITY;
  // Groups above that this process cannot see count here.
  const hierarchical = stat.get('hierarchical_memory_limit') ?? Number.POSITIVE_INFINITY;
  const totalBytes = Math.min(own, hierarchical);
  // "No limit" is the largest number of pages, near 2^63.
  if (totalBytes >= 2 ** 60) return null;
  const usedBytes = parseAmount(readFile(`${folder}/memory.usage_in_bytes`)) ?? 0;
  const reclaimable = (stat.get('total_inactive_file') ?? 0) + (stat.get('total_active_file') ?? 0);
  return limitOver('cgroup-v1', totalBytes, usedBytes - reclaimable);
}

function limitOver(source: MemorySource, totalBytes: number, usedBytes: number): MemoryLimit {
  return { source, totalBytes, availableBytes: Math.min(totalBytes, Math.max(0, totalBytes - Math.max(0, usedBytes))) };
}

/** A whole number; null for `max`, nothing and anything else. */
function parseAmount(text: string | null): number | null {
  const match = /^\s*(\d+)\s*$/.exec(text ?? '');
  return match ? Number(match[1]) : null;
}

/** Lines such as `inactive_file 4096` and `MemTotal:  1024 kB`. */
function parseTable(text: string): Map<string, number> {
  const table = new Map<string, number>();
  for (const [, key, value] of text.matchAll(/^(\w+(?:\(\w+\))?):?\s+(\d+)/gm)) table.set(key!, Number(value));
  return table;
}
