/**
 * Physical memory of a process in bytes: VmRSS of /proc/<pid>/status, which is in KiB whatever the page size.
 * 0 when the process is gone or the system has no /proc.
 */
export function residentBytes(readFile: (path: string) => string | null, pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFile(`/proc/${pid}/status`) ?? '');
  return match ? Number(match[1]) * 1024 : 0;
}

/**
 * Physical memory of a process as its page tables have it: exact, where VmRSS may lag behind by some pages a thread.
 * Takes the kernel a walk over the tables, so it is for moments such as the end of a load. Falls back to `residentBytes`.
 */
export function measuredBytes(readFile: (path: string) => string | null, pid: number): number {
  const match = /^Rss:\s+(\d+) kB$/m.exec(readFile(`/proc/${pid}/smaps_rollup`) ?? '');
  return match ? Number(match[1]) * 1024 : residentBytes(readFile, pid);
}
