import type { Box } from './box.ts';
import { containerOf, isImage } from './container.ts';
import { type Finding, failure, info, ok, warning } from './finding.ts';

const leastNode = 24;
const leastGlibc = [2, 34] as const;

/** The system under Hearth: Node, pages, kernel, C library, what a container allows, who we are. */
export function checkSystem(box: Box): Finding[] {
  const onLinux = box.platform === 'linux';
  return [
    checkNode(box),
    checkArchitecture(box),
    ...(onLinux ? [checkKernel(box), checkGlibc(box), checkThreads(box), checkRing(box)] : []),
    ...(box.user === null ? [] : [checkUser(box, box.user)]),
  ];
}

function checkNode({ nodeVersion }: Box): Finding {
  const facts = { version: nodeVersion };
  if (Number(/^v(\d+)/.exec(nodeVersion)?.[1]) >= leastNode) return ok('system.node', 'Node', nodeVersion, { facts });
  return failure('system.node', 'Node', nodeVersion, {
    facts,
    means: `Hearth needs Node ${leastNode}: older ones do not run its files.`,
    fix: 'Run "npm ci", which brings the right one, and start with ./hearth or npm start.',
  });
}

function checkArchitecture(box: Box): Finding {
  const { architecture, platform } = box;
  const kib = /^KernelPageSize:\s*(\d+) kB/m.exec(box.readFile('/proc/self/smaps') ?? '')?.[1];
  const pageBytes = kib === undefined ? null : Number(kib) * 1_024;
  const found = `${platform} on ${architecture}${pageBytes === null ? '' : `, pages of ${kib} KiB`}`;
  const facts = { platform, architecture, page_bytes: pageBytes };
  if (architecture !== 'x64' && architecture !== 'arm64') {
    return failure('system.architecture', 'System', found, {
      facts,
      means: 'llama.cpp has binaries for x64 and arm64 only.',
      fix: 'Run Hearth on a 64-bit machine.',
    });
  }
  if (pageBytes === 32_768) {
    return failure('system.architecture', 'System', found, {
      facts,
      means: 'Programs are not made for such pages, and cannot be loaded.',
      fix: 'Run Hearth on another machine.',
    });
  }
  return ok('system.architecture', 'System', found, { facts });
}

function checkKernel({ kernelRelease }: Box): Finding {
  const facts = { release: kernelRelease };
  if (isBefore(kernelRelease, [3, 17])) {
    return failure('system.kernel', 'Kernel', kernelRelease, {
      facts,
      means: 'It is older than 3.17, and has no getrandom, which every program here needs.',
      fix: 'Update the system of this machine.',
    });
  }
  if (isBefore(kernelRelease, [4, 4])) {
    return warning('system.kernel', 'Kernel', kernelRelease, {
      facts,
      means: 'It is older than any that was tried (4.4).',
      fix: 'Update the system where that is possible.',
    });
  }
  return ok('system.kernel', 'Kernel', kernelRelease, { facts });
}

function checkGlibc({ glibcVersion }: Box): Finding {
  const facts = { version: glibcVersion };
  if (glibcVersion === null || isBefore(glibcVersion, leastGlibc)) {
    return failure('system.glibc', 'C library', glibcVersion === null ? 'not glibc' : `glibc ${glibcVersion}`, {
      facts,
      means: `llama.cpp's binaries need glibc ${leastGlibc.join('.')} or newer.`,
      fix: 'Use Debian 12, Ubuntu 22.04 or newer, or the container image.',
    });
  }
  return ok('system.glibc', 'C library', `glibc ${glibcVersion}`, { facts });
}

/** That this runs shows that Node may start threads: under an old engine it would have ended before. */
function checkThreads(box: Box): Finding {
  const mode = Number(/^Seccomp:\s*(\d)/m.exec(box.readFile('/proc/self/status') ?? '')?.[1] ?? Number.NaN);
  const engine = containerOf(box);
  const filter = mode === 2 ? ', with a seccomp filter' : '';
  return ok(
    'system.threads',
    'Threads',
    `start (clone3 is allowed${filter}${engine === null ? '' : `; in ${engine}`})`,
    {
      facts: { seccomp_mode: Number.isNaN(mode) ? null : mode, container: engine },
    },
  );
}

/** Kernels whose rings gave wrong or hanging reads (nodejs/node#48444). */
function checkRing({ environment, kernelRelease }: Box): Finding {
  const value = environment['UV_USE_IO_URING'];
  const facts = { value: value ?? null };
  const isFaulty = !isBefore(kernelRelease, [5, 10]) && isBefore(kernelRelease, [5, 16]);
  if (value !== undefined && value !== '0' && isFaulty) {
    return warning('system.io_uring', 'UV_USE_IO_URING', value, {
      facts,
      means: `Files may be read wrongly, or hang, on kernel ${kernelRelease}.`,
      fix: 'Set UV_USE_IO_URING=0, or leave it out.',
    });
  }
  return ok('system.io_uring', 'UV_USE_IO_URING', value === undefined ? 'not set; Node uses none' : value, { facts });
}

function checkUser(box: Box, { uid, gid, groups }: NonNullable<Box['user']>): Finding {
  const others = groups.filter((group) => group !== gid);
  const found = `user ${uid}, group ${gid}${others.length > 0 ? `, also ${others.join(', ')}` : ''}`;
  const facts = { uid, gid, groups };
  if (uid !== 0) return ok('system.user', 'User', found, { facts });
  const means = 'Hearth needs no such rights, and what reads files of strangers had better not have them.';
  if (!isImage(box)) {
    return info('system.user', 'User', `${found} (root)`, {
      facts,
      means,
      fix: 'Start it as a plain user that owns the folders for models and data.',
    });
  }
  // The image gives them up by itself: somebody has gone round its start.
  return warning('system.user', 'User', `${found} (root)`, {
    facts,
    means,
    fix: 'Let the start script of the image run (it takes the rights of PUID and PGID), or set user: in the compose file.',
  });
}

/** Whether a version such as `5.10.60-qnap` comes before another. */
export function isBefore(version: string, [major, minor]: readonly [number, number]): boolean {
  const [, ownMajor = '0', ownMinor = '0'] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  return Number(ownMajor) !== major ? Number(ownMajor) < major : Number(ownMinor) < minor;
}
