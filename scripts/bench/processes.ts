import { readdirSync, readFileSync } from 'node:fs';

/** Resident memory of a process in bytes; null when it is gone or the system has no /proc. */
export function residentBytesOf(pid: number): number | null {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}

/** Open file descriptors of a process; null when it is gone. */
export function descriptorsOf(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    // Gone, or not ours to look at.
    return null;
  }
}

/** Pids of the worker processes of a server. */
export function workersOf(serverPid: number): number[] {
  const children = readOrEmpty(`/proc/${serverPid}/task/${serverPid}/children`).trim();
  return children === ''
    ? []
    : children
        .split(' ')
        .map(Number)
        .filter((pid) => readOrEmpty(`/proc/${pid}/cmdline`).includes('worker/main.ts'));
}

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process ended between two reads.
    return '';
  }
}
