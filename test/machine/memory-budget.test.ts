import { describe, expect, test } from 'vitest';
import { type MemoryReader, readMemoryBudget, systemMemoryReader } from '../../src/machine/memory-budget.ts';

const mib = 2 ** 20;
const gib = 2 ** 30;

const meminfo = `MemTotal:        8030180 kB
MemFree:          412340 kB
MemAvailable:    6130204 kB
Buffers:          102400 kB
Cached:          5242880 kB
SwapTotal:       2097148 kB
Shmem:             10240 kB
`;
const hostTotal = 8_030_180 * 1_024;
const hostAvailable = 6_130_204 * 1_024;

function reader(files: Record<string, string>, more: Partial<MemoryReader> = {}): MemoryReader {
  const all: Record<string, string> = { '/proc/meminfo': meminfo, ...files };
  return {
    readFile: (path) => all[path] ?? null,
    constrainedBytes: undefined,
    hostTotalBytes: 16 * gib,
    hostAvailableBytes: 4 * gib,
    ...more,
  };
}

const noReserve = { reserveBytes: 0, limitBytes: null };

/** As in a container with its own cgroup namespace on a host with cgroup v2. */
const v2Namespaced = {
  '/proc/self/cgroup': '0::/\n',
  '/proc/self/mountinfo':
    '706 700 0:27 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot\n',
};
/** As in Docker on a host with cgroup v1: the path is the host's, the mount's root is this container's group. */
const v1Docker = {
  '/proc/self/cgroup': '12:memory:/docker/4f2a\n11:cpu,cpuacct:/docker/4f2a\n1:name=systemd:/docker/4f2a\n',
  '/proc/self/mountinfo':
    '641 640 0:33 /docker/4f2a /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory\n642 640 0:34 /docker/4f2a /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n',
};
const unlimitedV1 = '9223372036854771712\n';

describe('the host', () => {
  test('without containers the host counts', () => {
    expect(readMemoryBudget(reader({}), noReserve)).toMatchObject({
      totalBytes: hostTotal,
      availableBytes: hostAvailable,
      source: 'host',
    });
  });

  test('an old kernel without MemAvailable gets an estimate', () => {
    const old = meminfo.replace(/MemAvailable.*\n/, '');
    const budget = readMemoryBudget(reader({ '/proc/meminfo': old }), noReserve);
    expect(budget.availableBytes).toBe((412_340 + 102_400 + 5_242_880 - 10_240) * 1_024);
  });

  test('without /proc the numbers of Node count', () => {
    const budget = readMemoryBudget(reader({ '/proc/meminfo': '' }), noReserve);
    expect(budget).toMatchObject({ totalBytes: 16 * gib, availableBytes: 4 * gib, source: 'host' });
  });
});

describe('cgroup v2', () => {
  test('a namespaced container is found at the mount point; its page cache counts as free', () => {
    const budget = readMemoryBudget(
      reader({
        ...v2Namespaced,
        '/sys/fs/cgroup/memory.max': `${2 * gib}\n`,
        '/sys/fs/cgroup/memory.high': 'max\n',
        '/sys/fs/cgroup/memory.current': `${1_500 * mib}\n`,
        '/sys/fs/cgroup/memory.stat': `anon 419430400\nfile ${1_000 * mib}\nactive_file ${300 * mib}\ninactive_file ${600 * mib}\nshmem ${100 * mib}\n`,
      }),
      noReserve,
    );
    expect(budget).toMatchObject({ source: 'cgroup-v2', totalBytes: 2 * gib, availableBytes: 2 * gib - 600 * mib });
  });

  test('on the host the least limit of the group and all groups above it counts, total and available apart', () => {
    const group = '/sys/fs/cgroup/nas.slice/apps.slice/hearth.service';
    const budget = readMemoryBudget(
      reader({
        '/proc/self/cgroup': '0::/nas.slice/apps.slice/hearth.service\n',
        '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n',
        [`${group}/memory.max`]: 'max\n',
        [`${group}/memory.current`]: '1000\n',
        '/sys/fs/cgroup/nas.slice/apps.slice/memory.max': `${3 * gib}\n`,
        '/sys/fs/cgroup/nas.slice/apps.slice/memory.current': '0\n',
        '/sys/fs/cgroup/nas.slice/memory.max': `${4 * gib}\n`,
        '/sys/fs/cgroup/nas.slice/memory.current': `${3.5 * gib}\n`,
      }),
      noReserve,
    );
    expect(budget).toMatchObject({ source: 'cgroup-v2', totalBytes: 3 * gib, availableBytes: 0.5 * gib });
    expect(budget.limits.map((limit) => limit.source)).toEqual(['host', 'cgroup-v2', 'cgroup-v2']);
  });

  test('memory.high is a limit', () => {
    const files = {
      ...v2Namespaced,
      '/sys/fs/cgroup/memory.max': 'max\n',
      '/sys/fs/cgroup/memory.high': `${gib}\n`,
      '/sys/fs/cgroup/memory.current': '0\n',
    };
    expect(readMemoryBudget(reader(files), noReserve).totalBytes).toBe(gib);
  });

  test('a path that leaves the namespace falls back to the mount point', () => {
    const files = {
      ...v2Namespaced,
      '/proc/self/cgroup': '0::/../../system.slice\n',
      '/sys/fs/cgroup/memory.max': `${gib}\n`,
    };
    expect(readMemoryBudget(reader(files), noReserve)).toMatchObject({ source: 'cgroup-v2', totalBytes: gib });
  });

  test('no limit on any level leaves the host', () => {
    const files = { ...v2Namespaced, '/sys/fs/cgroup/memory.max': 'max\n' };
    expect(readMemoryBudget(reader(files), noReserve).source).toBe('host');
  });
});

describe('cgroup v1', () => {
  const memory = '/sys/fs/cgroup/memory';

  test('a container is found through the root of its mount', () => {
    const budget = readMemoryBudget(
      reader({
        ...v1Docker,
        [`${memory}/memory.limit_in_bytes`]: `${gib}\n`,
        [`${memory}/memory.usage_in_bytes`]: `${700 * mib}\n`,
        [`${memory}/memory.stat`]: `cache 1\ninactive_file 1\nhierarchical_memory_limit ${gib}\ntotal_inactive_file ${200 * mib}\ntotal_active_file ${100 * mib}\n`,
      }),
      noReserve,
    );
    expect(budget).toMatchObject({ source: 'cgroup-v1', totalBytes: gib, availableBytes: gib - 400 * mib });
  });

  test('a limit above the visible tree shows in the statistics', () => {
    const files = {
      ...v1Docker,
      [`${memory}/memory.limit_in_bytes`]: unlimitedV1,
      [`${memory}/memory.stat`]: `hierarchical_memory_limit ${512 * mib}\n`,
    };
    expect(readMemoryBudget(reader(files), noReserve)).toMatchObject({ source: 'cgroup-v1', totalBytes: 512 * mib });
  });

  test('the largest number of pages means no limit', () => {
    const files = {
      ...v1Docker,
      [`${memory}/memory.limit_in_bytes`]: unlimitedV1,
      [`${memory}/memory.stat`]: `hierarchical_memory_limit ${unlimitedV1}`,
    };
    expect(readMemoryBudget(reader(files), noReserve).source).toBe('host');
  });

  test('on a hybrid host both versions are looked at', () => {
    const files = {
      '/proc/self/cgroup': '4:memory:/jobs/a b\n0::/\n',
      '/proc/self/mountinfo':
        '35 31 0:32 / /sys/fs/cgroup/mem\\040ory rw,relatime - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n',
      '/sys/fs/cgroup/mem ory/jobs/a b/memory.limit_in_bytes': `${gib}\n`,
    };
    expect(readMemoryBudget(reader(files), noReserve)).toMatchObject({ source: 'cgroup-v1', totalBytes: gib });
  });
});

describe('other bounds', () => {
  test('what Node sees counts when no file shows it', () => {
    const budget = readMemoryBudget(reader({}, { constrainedBytes: gib }), { ...noReserve, ownBytes: 100 * mib });
    expect(budget).toMatchObject({ source: 'process', totalBytes: gib, availableBytes: gib - 100 * mib });
    expect(readMemoryBudget(reader({}, { constrainedBytes: 2 ** 63 }), noReserve).source).toBe('host');
    expect(readMemoryBudget(reader({}, { constrainedBytes: 0 }), noReserve).source).toBe('host');
  });

  test("the operator's limit counts less what the server and its workers have", () => {
    const budget = readMemoryBudget(reader({}), { reserveBytes: 0, limitBytes: 4 * gib, ownBytes: 3 * gib });
    expect(budget).toMatchObject({ source: 'config', totalBytes: 4 * gib, availableBytes: gib });
  });

  test('the reserve is taken off both, and nothing gets negative', () => {
    expect(readMemoryBudget(reader({}), { reserveBytes: 256 * mib, limitBytes: null })).toMatchObject({
      totalBytes: hostTotal - 256 * mib,
      availableBytes: hostAvailable - 256 * mib,
    });
    expect(readMemoryBudget(reader({}), { reserveBytes: 100 * gib, limitBytes: null })).toMatchObject({
      totalBytes: 0,
      availableBytes: 0,
    });
  });

  test('the reserve follows the memory where nobody set it', () => {
    const reserved = (limitBytes: number | null) =>
      readMemoryBudget(reader({}), { reserveBytes: null, limitBytes }).reserveBytes;
    expect(reserved(null)).toBe(256 * mib);
    expect(reserved(2 * gib)).toBe(256 * mib);
    expect(reserved(320 * mib)).toBe(16 * mib);
    expect(reserved(200 * mib)).toBe(0);
  });

  test('garbage in every file leaves the numbers of Node', () => {
    const garbage: MemoryReader = { ...reader({}), readFile: () => '\0 - : 9e9 - \n::::\n0::relative\n' };
    expect(readMemoryBudget(garbage, noReserve)).toMatchObject({ totalBytes: 16 * gib, source: 'host' });
  });

  test('this machine has memory', () => {
    const budget = readMemoryBudget(systemMemoryReader(), noReserve);
    expect(budget.totalBytes).toBeGreaterThan(0);
    expect(budget.availableBytes).toBeLessThanOrEqual(budget.totalBytes);
  });
});
