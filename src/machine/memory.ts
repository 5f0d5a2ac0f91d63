import { type MemoryBudget, readMemoryBudget, systemMemoryReader } from './memory-budget.ts';
import { residentBytes } from './resident-bytes.ts';

/** Memory of the host or container as the engine sees it, in bytes. */
export interface MemoryStatus {
  /** What server and models may use in all, the reserve already taken off. */
  budgetBytes: number;
  /** Free for new loads now; files in the page cache count as free. */
  availableBytes: number;
  /** Left to others, taken off both. */
  reserveBytes: number;
  /** Where the least total comes from: `host`, `cgroup-v2`, `cgroup-v1`, `process` or `config`. */
  source: string;
  /** Physical memory of the server and its workers now. */
  usedBytes: number;
}

/** The memory of this machine, as far as the configuration lets the server use it. */
export interface Memory {
  /** The text of a file of the kernel; null: it cannot be read. */
  readFile: (path: string) => string | null;
  /** Physical memory of a process. */
  residentBytes(pid: number): number;
  budget(): MemoryBudget;
  status(): MemoryStatus;
}

/** `workerPids`: the processes whose memory is the server's own, beside this one. */
export function createMemory(deps: {
  memoryReserveBytes: number | null;
  memoryLimitBytes: number | null;
  workerPids: () => number[];
}): Memory {
  const reader = systemMemoryReader();
  const { memoryReserveBytes, memoryLimitBytes: limitBytes } = deps;
  const bytesOf = (pid: number) => residentBytes(reader.readFile, pid);
  const usedBytes = () => deps.workerPids().reduce((sum, pid) => sum + bytesOf(pid), process.memoryUsage.rss());
  const budget = () =>
    readMemoryBudget(reader, { reserveBytes: memoryReserveBytes, limitBytes, ownBytes: usedBytes() });
  return {
    readFile: reader.readFile,
    residentBytes: bytesOf,
    budget,
    status() {
      const { totalBytes, availableBytes, reserveBytes, source } = budget();
      return { budgetBytes: totalBytes, availableBytes, reserveBytes, source, usedBytes: usedBytes() };
    },
  };
}
