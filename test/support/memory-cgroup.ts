import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A control group with a memory limit, for processes that a test starts in it. */
export interface MemoryCgroup {
  /** Writing a pid here puts that process, and all that it starts, into the group. */
  procsFile: string;
  /** Processes that the kernel killed in it for memory. */
  oomKills(): number;
  usedBytes(): number;
  /** The group must be empty. */
  remove(): void;
}

const root = '/sys/fs/cgroup';

/** Makes a group below the machine's root group, with cgroup v1 or v2; or says why that cannot be done here. */
export function makeMemoryCgroup(limitBytes: number): MemoryCgroup | { skip: string } {
  if (process.platform !== 'linux') return { skip: 'control groups are a part of Linux' };
  const isVersion1 = existsSync(join(root, 'memory', 'memory.limit_in_bytes'));
  const isVersion2 = existsSync(join(root, 'cgroup.subtree_control'));
  if (!isVersion1 && !isVersion2) return { skip: 'there is no memory controller' };
  const folder = join(root, ...(isVersion1 ? ['memory'] : []), `hearth-test-${process.pid}-${Date.now()}`);
  try {
    if (!isVersion1) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory');
    mkdirSync(folder);
    writeFileSync(join(folder, isVersion1 ? 'memory.limit_in_bytes' : 'memory.max'), String(limitBytes));
    // Swapped-out memory would hide what did not fit.
    if (isVersion1) writeFileSync(join(folder, 'memory.swappiness'), '0');
  } catch (error) {
    if (existsSync(folder)) rmdirSync(folder);
    return { skip: `a control group cannot be made here (${error instanceof Error ? error.message : error})` };
  }
  const number = (file: string, pattern: RegExp) =>
    Number(pattern.exec(readFileSync(join(folder, file), 'utf8'))?.[1] ?? Number.NaN);
  return {
    procsFile: join(folder, 'cgroup.procs'),
    oomKills: () => number(isVersion1 ? 'memory.oom_control' : 'memory.events', /^oom_kill (\d+)$/m),
    usedBytes: () => number(isVersion1 ? 'memory.usage_in_bytes' : 'memory.current', /^(\d+)$/m),
    remove: () => rmdirSync(folder),
  };
}
