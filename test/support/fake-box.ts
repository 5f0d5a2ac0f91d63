import { commandSayer } from '../../src/core/say-command.ts';
import type { Answer, Box, Disk, Owner } from '../../src/doctor/box.ts';
import type { Finding } from '../../src/doctor/doctor.ts';

const gib = 2 ** 30;

/** What a machine of tests has in place of files, devices and networks. */
export interface FakeMachine extends Partial<Pick<Box, 'platform' | 'architecture' | 'nodeVersion' | 'kernelRelease'>> {
  glibcVersion?: string | null;
  user?: Box['user'];
  timeZone?: string;
  environment?: Record<string, string>;
  /** Text by path. A folder lists what lies directly below it. */
  files?: Record<string, string>;
  links?: Record<string, string>;
  owners?: Record<string, Owner>;
  disks?: Record<string, Disk>;
  /** Paths that may not be opened. */
  closed?: string[];
  /** Code by folder in which nothing can be made. */
  unwritable?: Record<string, string>;
  /** Code by `host:port`. */
  ports?: Record<string, string>;
  answers?: Record<string, Answer>;
  now?: Date;
  asked?: string[];
}

/** A healthy box of four cores and 8 GiB, until a test says otherwise. */
export function fakeBox(machine: FakeMachine = {}): Box {
  const files = { ...healthyFiles, ...machine.files };
  const links = machine.links ?? {};
  const folder: Owner = { uid: 1000, gid: 100, mode: 0o755, isFolder: true };
  const owners: Record<string, Owner> = { '/': folder, '/data': folder, '/models': folder, ...machine.owners };
  const readFile = (path: string) => files[path] ?? null;
  return {
    platform: machine.platform ?? 'linux',
    architecture: machine.architecture ?? 'x64',
    nodeVersion: machine.nodeVersion ?? 'v24.11.1',
    kernelRelease: machine.kernelRelease ?? '6.1.0-28-amd64',
    glibcVersion: machine.glibcVersion === undefined ? '2.36' : machine.glibcVersion,
    user: machine.user === undefined ? { uid: 1000, gid: 100, groups: [100, 44] } : machine.user,
    timeZone: machine.timeZone ?? 'Europe/Berlin',
    memory: { readFile, constrainedBytes: undefined, hostTotalBytes: 8 * gib, hostAvailableBytes: 6 * gib },
    affinityCount: 4,
    environment: machine.environment ?? {},
    readFile,
    list(path) {
      const inside = [...Object.keys(files), ...Object.keys(links)]
        .filter((one) => one.startsWith(`${path}/`))
        .map((one) => one.slice(path.length + 1).split('/')[0]!);
      return [...new Set(inside)].sort();
    },
    linkTarget: (path) => links[path] ?? null,
    ownerOf: (path) => owners[path] ?? null,
    diskOf: (path) => (machine.disks ?? { '/': { freeBytes: 100 * gib, totalBytes: 200 * gib } })[path] ?? null,
    canOpen: (path) => !(machine.closed ?? []).includes(path),
    tryWrite: (path) => machine.unwritable?.[path] ?? null,
    tryPort: async (host, port) => machine.ports?.[`${host}:${port}`] ?? null,
    async ask(url) {
      machine.asked?.push(url);
      return machine.answers?.[url] ?? { reason: 'ECONNREFUSED' };
    },
    sayCommand: commandSayer('hearth'),
    now: () => machine.now ?? new Date('2026-11-29T10:00:00Z'),
  };
}

export const avx2Flags = 'sse4_2 avx f16c fma bmi2 avx2';

const healthyFiles: Record<string, string> = {
  '/proc/self/smaps': '00400000-00401000 r-xp\nSize: 4 kB\nKernelPageSize:        4 kB\n',
  '/proc/self/status': 'Name:\tnode\nSeccomp:\t0\nCpus_allowed_list:\t0-3\n',
  '/proc/cpuinfo': `processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5\nflags\t\t: fpu ${avx2Flags}\n`,
  '/proc/meminfo': 'MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n',
  '/proc/self/limits': 'Max processes  30000  30000  processes\nMax open files  65536  65536  files\n',
  '/proc/sys/fs/inotify/max_user_watches': '65536\n',
  '/proc/sys/fs/inotify/max_user_instances': '128\n',
};

/** The files of a control group, version 2, that this process is in. */
export const groupV2 = (files: Record<string, string>): Record<string, string> => ({
  '/proc/self/cgroup': '0::/\n',
  '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n',
  ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`/sys/fs/cgroup/${name}`, text])),
});

/** The same of version 1, with one folder for each controller. */
export const groupV1 = (files: Record<string, string>): Record<string, string> => ({
  '/proc/self/cgroup': '4:memory:/docker/1a\n3:cpu,cpuacct:/docker/1a\n',
  '/proc/self/mountinfo':
    '31 30 0:28 /docker/1a /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n32 30 0:29 /docker/1a /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n',
  ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`/sys/fs/cgroup/${name}`, text])),
});

/** The finding of an id; throws where there is none. */
export function findingOf(findings: readonly Finding[], id: string): Finding {
  const found = findings.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no finding ${id} among ${findings.map((one) => one.id).join(', ')}`);
  return found;
}
