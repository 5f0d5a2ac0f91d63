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

/**
 * Processor time of a process since its start, over all its threads that still live, in milliseconds. Read from the
 * scheduler, to the nanosecond: the usual clock counts in steps of 10 ms.
 */
export function processorMsOf(pid: number): number {
  return sumOverThreads(pid, 'schedstat', /^(\d+)/) / 1e6;
}

/** How often the threads of a process have gone to sleep, and so were woken up again. */
export function voluntarySwitchesOf(pid: number): number {
  return sumOverThreads(pid, 'status', /^voluntary_ctxt_switches:\s+(\d+)/m);
}

function sumOverThreads(pid: number, file: string, figure: RegExp): number {
  return threadsOf(pid).reduce(
    (sum, thread) => sum + Number(figure.exec(readOrEmpty(`/proc/${pid}/task/${thread}/${file}`))?.[1] ?? 0),
    0,
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // Gone, or a system without /proc.
    return [];
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
