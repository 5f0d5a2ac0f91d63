import { describe, expect, it } from 'vitest';
import { readSystemText } from '../../src/machine/memory-budget.ts';
import { threadTime } from '../../src/machine/thread-time.ts';

describe('the time of a thread', () => {
  it('is what the scheduler says', () => {
    const files: Record<string, string> = { '/proc/7/task/7/schedstat': '1500000000 250000000 42\n' };
    expect(threadTime((path) => files[path] ?? null, 7)).toEqual({ ranMs: 1_500, waitedMs: 250 });
    expect(threadTime((path) => files[path] ?? null, 8)).toBeNull();
  });

  it.runIf(process.platform === 'linux')('grows while a process works', () => {
    const before = threadTime(readSystemText, process.pid);
    for (let sum = 0; sum < 2e7; sum++);
    expect(threadTime(readSystemText, process.pid)!.ranMs).toBeGreaterThan(before!.ranMs);
  });
});
