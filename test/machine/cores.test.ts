import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { usableCores } from '../../src/machine/cores.ts';
import { readSystemText } from '../../src/machine/memory-budget.ts';

const from = (files: Record<string, string>, affinityCount = 8) =>
  usableCores({ readFile: (path) => files[path] ?? null, affinityCount });

const allowed = (list: string) => ({
  '/proc/self/status': `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed_list:\t0\n`,
});

/** Processors whose siblings are given as `/sys` writes them. */
const siblings = (lists: string[], file = 'core_cpus_list') =>
  Object.fromEntries(
    lists.map((list, processor) => [`/sys/devices/system/cpu/cpu${processor}/topology/${file}`, `${list}\n`]),
  );

const v2 = {
  '/proc/self/cgroup': '0::/\n',
  '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
};
const v1 = {
  '/proc/self/cgroup': '3:cpu,cpuacct:/docker/1a\n',
  '/proc/self/mountinfo': '32 31 0:29 /docker/1a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n',
};
const fourPlain = siblings(['0', '1', '2', '3']);

describe('affinity', () => {
  test.each([
    ['0-3', 4],
    ['0', 1],
    ['0-1,4,6-7', 5],
  ])('a mask of %s is %d processors', (list, affinity) => {
    expect(from(allowed(list))).toEqual({
      cores: affinity,
      affinity,
      quotaCores: null,
      physicalCores: null,
      source: 'affinity',
    });
  });

  test.each([{}, allowed('nonsense'), allowed('0-99999999')])(
    'without a readable mask the number of Node counts',
    (files) => {
      expect(from(files, 3)).toMatchObject({ cores: 3, affinity: 3 });
      expect(from(files, 0).cores).toBe(1);
    },
  );
});

describe('physical cores', () => {
  test('hyper-threads of one core count once', () => {
    expect(from({ ...allowed('0-3'), ...siblings(['0,2', '1,3', '0,2', '1,3']) })).toMatchObject({
      cores: 2,
      physicalCores: 2,
      source: 'physical-cores',
    });
  });

  test('only cores behind the mask count', () => {
    expect(from({ ...allowed('0,2'), ...siblings(['0,2', '1,3', '0,2', '1,3']) }).cores).toBe(1);
  });

  test('older kernels name the siblings otherwise, or give ids', () => {
    expect(from({ ...allowed('0-1'), ...siblings(['0-1', '0-1'], 'thread_siblings_list') }).cores).toBe(1);
    const ids = {
      ...siblings(['0', '0', '1', '1'], 'core_id'),
      ...siblings(['0', '1', '0', '1'], 'physical_package_id'),
    };
    expect(from({ ...allowed('0-3'), ...ids }).physicalCores).toBe(4);
  });

  test('/proc/cpuinfo is the last resort', () => {
    const block = (processor: number, core: number) =>
      `processor\t: ${processor}\nphysical id\t: 0\ncore id\t\t: ${core}\n`;
    const files = { '/proc/cpuinfo': [block(0, 0), block(1, 0), block(2, 1), block(3, 1)].join('\n') };
    expect(from({ ...allowed('0-3'), ...files }).physicalCores).toBe(2);
    expect(
      from({ ...allowed('0-3'), '/proc/cpuinfo': 'processor\t: 0\nBogoMIPS\t: 108.00\n' }).physicalCores,
    ).toBeNull();
  });
});

describe('quota', () => {
  test.each([
    ['200000 100000', 2, 2],
    ['250000 100000', 2.5, 2],
    ['50000 100000', 0.5, 1],
    ['800000 100000', 8, 4],
    ['max 100000', null, 4],
    ['', null, 4],
  ])('cpu.max of "%s" grants %s and leaves %d of four cores', (text, quotaCores, cores) => {
    const result = from({ ...allowed('0-3'), ...fourPlain, ...v2, '/sys/fs/cgroup/cpu.max': text });
    expect(result).toMatchObject({ quotaCores, cores });
    expect(result.source).toBe(cores < 4 ? 'quota' : 'affinity');
  });

  test.each([
    ['150000', 1.5, 1],
    ['300000', 3, 3],
    ['-1', null, 4],
  ])('a version 1 quota of %s in 100,000 grants %s', (quota, quotaCores, cores) => {
    const files = {
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': `${quota}\n`,
      '/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    };
    expect(from({ ...allowed('0-3'), ...fourPlain, ...v1, ...files })).toMatchObject({ quotaCores, cores });
  });

  test('the least quota of all levels counts', () => {
    const files = {
      '/proc/self/cgroup': '0::/apps.slice/hearth.service\n',
      '/sys/fs/cgroup/apps.slice/cpu.max': '100000 100000\n',
      '/sys/fs/cgroup/apps.slice/hearth.service/cpu.max': '300000 100000\n',
    };
    expect(from({ ...allowed('0-3'), ...v2, ...files })).toMatchObject({ quotaCores: 1, cores: 1, source: 'quota' });
  });
});

test('this machine has at least one core and not more than Node sees', () => {
  const affinityCount = availableParallelism();
  const { cores, affinity } = usableCores({ readFile: readSystemText, affinityCount });
  expect(cores).toBeGreaterThanOrEqual(1);
  expect(cores).toBeLessThanOrEqual(affinity);
});
