import { describe, expect, it, test } from 'vitest';
import { createCpuReader } from '../../src/machine/cpu-reader.ts';
import { readSystemText } from '../../src/machine/memory-budget.ts';
import { manualClock } from '../support/manual-clock.ts';

const v2 = {
  '/proc/self/cgroup': '0::/\n',
  '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
};
const v1 = {
  '/proc/self/cgroup': '3:cpu,cpuacct:/docker/1a\n',
  '/proc/self/mountinfo': '32 31 0:29 /docker/1a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n',
};
const psi = (average: string, totalUs: number) =>
  `some avg10=${average} avg60=5.85 avg300=9.51 total=${totalUs}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n`;
/** Ticks of a machine with two processors. */
const stat = (user: number, idle: number, steal: number) =>
  `cpu  ${user} 0 0 ${idle} 0 0 0 ${steal} 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\ncpu1 1 0 0 1 0 0 0 0 0 0\nctxt 1\n`;

/** What the second of two readings, two seconds apart, says. */
function between(before: Record<string, string>, after: Record<string, string>) {
  const clock = manualClock();
  let files = before;
  const reader = createCpuReader({ readFile: (path) => files[path] ?? null, monotonicMs: () => clock.monotonicMs() });
  const first = reader.read();
  files = after;
  clock.advance(2_000);
  return { first, second: reader.read() };
}

describe('waiting', () => {
  test('is the difference of the totals; the first reading has only the average', () => {
    const { first, second } = between(
      { '/proc/pressure/cpu': psi('14.37', 1_000_000) },
      { '/proc/pressure/cpu': psi('20.00', 2_500_000) },
    );
    expect(first.waitingShare).toBeCloseTo(0.1437);
    expect(second.waitingShare).toBeCloseTo(0.75);
  });

  test("is our own group's where it is told", () => {
    const files = (ownUs: number) => ({
      ...v2,
      '/proc/self/cgroup': '0::/apps.slice/hearth.service\n',
      '/proc/pressure/cpu': psi('0.00', 0),
      '/sys/fs/cgroup/cpu.pressure': psi('0.00', 0),
      '/sys/fs/cgroup/apps.slice/hearth.service/cpu.pressure': psi('0.00', ownUs),
    });
    expect(between(files(0), files(500_000)).second.waitingShare).toBeCloseTo(0.25);
  });

  test('falls back to the average when a total runs backwards', () => {
    const { second } = between({ '/proc/pressure/cpu': psi('0.00', 9) }, { '/proc/pressure/cpu': psi('50.00', 1) });
    expect(second.waitingShare).toBeCloseTo(0.5);
  });

  test.each([{}, { '/proc/pressure/cpu': '' }, { '/proc/pressure/cpu': 'nonsense\n' }])(
    'is unknown without PSI',
    (files: Record<string, string>) => {
      expect(between(files, files).second.waitingShare).toBeNull();
    },
  );

  test('counts the time that other guests of the host have stolen, where PSI is there', () => {
    const files = (steal: number) => ({ '/proc/stat': stat(0, 400 - steal, steal), '/proc/pressure/cpu': psi('0', 0) });
    expect(between({ ...files(0), '/proc/stat': stat(0, 0, 0) }, { ...files(200) }).second.waitingShare).toBeCloseTo(
      0.5,
    );
  });
});

describe('frozen cores', () => {
  const file = '/sys/fs/cgroup/cpu.stat';
  const text = (throttledUs: number) => `usage_usec 5\nnr_periods 20\nnr_throttled 9\nthrottled_usec ${throttledUs}\n`;

  test('come from microseconds of version 2', () => {
    expect(between({ ...v2, [file]: text(1_000) }, { ...v2, [file]: text(2_001_000) }).second.frozenCores).toBe(1);
  });

  test('come from nanoseconds of version 1', () => {
    const v1File = '/sys/fs/cgroup/cpu,cpuacct/cpu.stat';
    const v1Text = (ns: number) => `nr_periods 20\nnr_throttled 9\nthrottled_time ${ns}\n`;
    expect(
      between({ ...v1, [v1File]: v1Text(0) }, { ...v1, [v1File]: v1Text(500_000_000) }).second.frozenCores,
    ).toBeCloseTo(0.25);
  });

  test('are those of the level that froze most', () => {
    const files = (parentUs: number, ownUs: number) => ({
      ...v2,
      '/proc/self/cgroup': '0::/apps.slice/hearth.service\n',
      '/sys/fs/cgroup/apps.slice/cpu.stat': text(parentUs),
      '/sys/fs/cgroup/apps.slice/hearth.service/cpu.stat': text(ownUs),
    });
    expect(between(files(0, 0), files(3_000_000, 100)).second.frozenCores).toBeCloseTo(1.5);
  });

  test('are none without a quota', () => {
    expect(between(v2, { ...v2, [file]: 'usage_usec 7\n' }).second.frozenCores).toBe(0);
  });
});

describe('idle cores', () => {
  test('are the idle share of all processors', () => {
    const { first, second } = between({ '/proc/stat': stat(100, 100, 0) }, { '/proc/stat': stat(200, 400, 0) });
    expect(first.idleCores).toBeNull();
    expect(second.idleCores).toBeCloseTo(1.5);
  });

  test.each(['', 'cpu  1 2\n', 'cpu  1 2 3 4 5 6 7 8 9 10\n'])('are unknown from "%s"', (text) => {
    expect(between({ '/proc/stat': text }, { '/proc/stat': text }).second.idleCores).toBeNull();
  });
});

it('reads this machine without failing, and within the bounds', () => {
  const clock = manualClock();
  const reader = createCpuReader({ readFile: readSystemText, monotonicMs: () => clock.monotonicMs() });
  reader.read();
  clock.advance(2_000);
  const reading = reader.read();
  expect(reading.frozenCores).toBeGreaterThanOrEqual(0);
  expect(reading.waitingShare ?? 0).toBeGreaterThanOrEqual(0);
  expect(reading.waitingShare ?? 0).toBeLessThanOrEqual(1);
});
