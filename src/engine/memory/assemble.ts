import type { Config } from '../../config/schema.ts';
import type { MemoryStatus } from '../engine.ts';
import { type MemoryBudget, readMemoryBudget, systemMemoryReader } from './budget.ts';
import { residentBytes } from './resident-bytes.ts';

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
export function assembleMemory(deps: { settings: Config['engine']; workerPids: () => number[] }): Memory {
  const reader = systemMemoryReader();
  const { memoryReserveBytes: reserveBytes, memoryLimitBytes: limitBytes } = deps.settings;
  const bytesOf = (pid: number) => residentBytes(reader.readFile, pid);
  const usedBytes = () => deps.workerPids().reduce((sum, pid) => sum + bytesOf(pid), process.memoryUsage.rss());
  const budget = () => readMemoryBudget(reader, { reserveBytes, limitBytes, ownBytes: usedBytes() });
  return {
    readFile: reader.readFile,
    residentBytes: bytesOf,
    budget,
    status() {
      const { totalBytes, availableBytes, source } = budget();
      return { budgetBytes: totalBytes, availableBytes, reserveBytes, source, usedBytes: usedBytes() };
    },
  };
}
