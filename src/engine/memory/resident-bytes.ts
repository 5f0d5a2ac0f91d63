/**
 * Physical memory of a process in bytes: VmRSS of /proc/<pid>/status, which is in KiB whatever the page size.
 * 0 when the process is gone or the system has no /proc.
 */
export function residentBytes(readFile: (path: string) => string | null, pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFile(`/proc/${pid}/status`) ?? '');
  return match ? Number(match[1]) * 1024 : 0;
}
