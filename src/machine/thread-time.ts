/** What a thread has had of the processor since it began. */
export interface ThreadTime {
  /** It ran so long. */
  ranMs: number;
  /** It could have run so long, and others did. */
  waitedMs: number;
}

/** The time of a process's first thread; null when the process is gone or the system does not say (`/proc/.../schedstat`). */
export function threadTime(readFile: (path: string) => string | null, pid: number): ThreadTime | null {
  const match = /^(\d+) (\d+) \d+$/m.exec(readFile(`/proc/${pid}/task/${pid}/schedstat`) ?? '');
  return match ? { ranMs: Number(match[1]) / 1e6, waitedMs: Number(match[2]) / 1e6 } : null;
}
