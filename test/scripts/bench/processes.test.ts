import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { processorMsOf, voluntarySwitchesOf } from '../../../scripts/bench/processes.ts';

describe.skipIf(!existsSync('/proc/self/schedstat'))('what the scheduler knows of a process (needs /proc)', () => {
  it('is the processor time that the process itself counts', () => {
    const [ownBefore, before] = [process.cpuUsage(), processorMsOf(process.pid)];
    let own = 0;
    while (own < 50) {
      const { user, system } = process.cpuUsage(ownBefore);
      own = (user + system) / 1000;
    }
    // Other threads of the test runner may come and go meanwhile.
    expect(processorMsOf(process.pid) - before).toBeGreaterThan(30);
  });

  it('is how often it went to sleep', async () => {
    const before = voluntarySwitchesOf(process.pid);
    // Nothing to do until the other process has ended.
    await once(spawn(process.execPath, ['--version'], { stdio: 'ignore' }), 'exit');
    expect(voluntarySwitchesOf(process.pid) - before).toBeGreaterThanOrEqual(1);
  });

  it('is nothing for a process that is gone', () => {
    expect(processorMsOf(2 ** 30)).toBe(0);
    expect(voluntarySwitchesOf(2 ** 30)).toBe(0);
  });
});
