import { posix } from 'node:path';

/** Reads a small text file; null when it is not there or cannot be read. */
export type ReadFile = (path: string) => string | null;

/** Where a controller's files for this process lie: its own group first, then every group above it that is visible. */
interface CgroupLevels {
  version: 1 | 2;
  folders: string[];
}

/**
 * Finds this process's control groups for a controller (`memory`, `cpu`) from `/proc/self/cgroup` and
 * `/proc/self/mountinfo`. Version 2 comes first; both may be there, and either may be without the controller. Inside a
 * container the group's path is often not below the mount (it belongs to the host's view): the mount's root then is
 * this container's group.
 */
export function findCgroups(readFile: ReadFile, controller: 'memory' | 'cpu'): CgroupLevels[] {
  const groups = parseGroups(readFile('/proc/self/cgroup') ?? '');
  const mounts = parseMounts(readFile('/proc/self/mountinfo') ?? '');
  const levels: CgroupLevels[] = [];
  for (const mount of mounts) {
    if (mount.type === 'cgroup2' && groups.unified !== null) {
      levels.unshift({ version: 2, folders: foldersUpwards(mount, groups.unified) });
    }
    const path = groups.byController.get(controller);
    if (mount.type === 'cgroup' && mount.options.includes(controller) && path !== undefined) {
      levels.push({ version: 1, folders: foldersUpwards(mount, path) });
    }
  }
  return levels;
}

interface CgroupMount {
  /** The group that is visible at the mount point. */
  root: string;
  mountPoint: string;
  type: string;
  options: string[];
}

function parseGroups(text: string) {
  const byController = new Map<string, string>();
  let unified: string | null = null;
  for (const line of text.split('\n')) {
    // hierarchy:controllers:path, the path may hold colons.
    const match = /^(\d+):([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    if (match[1] === '0' && match[2] === '') unified = match[3]!;
    else for (const controller of match[2]!.split(',')) byController.set(controller, match[3]!);
  }
  return { unified, byController };
}

function parseMounts(text: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    const left = before?.split(' ') ?? [];
    const right = after?.split(' ') ?? [];
    if (left[3] === undefined || left[4] === undefined || right[0] === undefined) continue;
    if (right[0] !== 'cgroup' && right[0] !== 'cgroup2') continue;
    mounts.push({
      root: unescapeOctal(left[3]),
      mountPoint: unescapeOctal(left[4]),
      type: right[0],
      options: right[2]?.split(',') ?? [],
    });
  }
  return mounts;
}

/** mountinfo writes blanks and the like as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function foldersUpwards(mount: CgroupMount, groupPath: string): string[] {
  const inside =
    mount.root === '/' ? groupPath : groupPath === mount.root ? '/' : afterPrefix(groupPath, `${mount.root}/`);
  // A path that leaves the visible tree (`/../..`, or another root) cannot be followed.
  let folder = posix.normalize(`/${inside ?? ''}`);
  if (inside?.includes('/..')) folder = '/';
  const folders: string[] = [];
  while (folder !== '/') {
    const below = folder.replace(/\/$/, '');
    folders.push(mount.mountPoint + below);
    folder = posix.dirname(below);
  }
  return [...folders, mount.mountPoint];
}

function afterPrefix(text: string, prefix: string): string | null {
  return text.startsWith(prefix) ? text.slice(prefix.length - 1) : null;
}
