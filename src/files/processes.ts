/**
 * Whether a process of that number runs on this machine that is not this one. Of an own earlier life, in a container above
 * all, the number may be this process's: it has just begun.
 */
export function isOtherProcess(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of someone else's is there too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
