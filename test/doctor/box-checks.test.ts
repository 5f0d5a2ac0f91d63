import { describe, expect, it } from 'vitest';
import type { Severity } from '../../src/doctor/finding.ts';
import { checkFolders } from '../../src/doctor/folders.ts';
import { checkGpu } from '../../src/doctor/gpu.ts';
import { checkLimits } from '../../src/doctor/limits.ts';
import { checkMemory } from '../../src/doctor/memory.ts';
import { checkProcessor } from '../../src/doctor/processor.ts';
import { checkSystem } from '../../src/doctor/system.ts';
import { type FakeMachine, fakeBox, findingOf, groupV1, groupV2 } from '../support/fake-box.ts';

const system = (machine: FakeMachine, id: string) => findingOf(checkSystem(fakeBox(machine)), `system.${id}`);
const noSettings = { memoryLimitBytes: null, memoryReserveBytes: null };
const memory = (files: Record<string, string>, id: string) =>
  findingOf(checkMemory(fakeBox({ files }), noSettings), `memory.${id}`);

describe('the system', () => {
  it('is in order on a usual machine', () => {
    expect(checkSystem(fakeBox()).map(({ severity }) => severity)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok']);
  });

  it.each<[FakeMachine, string, Severity]>([
    [{ nodeVersion: 'v20.19.0' }, 'node', 'error'],
    [{ nodeVersion: 'v26.0.0' }, 'node', 'ok'],
    [{ architecture: 'arm' }, 'architecture', 'error'],
    [{ files: { '/proc/self/smaps': 'KernelPageSize:  32 kB\n' } }, 'architecture', 'error'],
    [{ files: { '/proc/self/smaps': 'KernelPageSize:  16 kB\n' } }, 'architecture', 'ok'],
    [{ kernelRelease: '3.10.108' }, 'kernel', 'error'],
    [{ kernelRelease: '4.2.8-qnap' }, 'kernel', 'warning'],
    [{ kernelRelease: '4.4.302+' }, 'kernel', 'ok'],
    [{ glibcVersion: '2.31' }, 'glibc', 'error'],
    [{ glibcVersion: null }, 'glibc', 'error'],
    [{ glibcVersion: '2.34' }, 'glibc', 'ok'],
    [{ user: { uid: 0, gid: 0, groups: [] } }, 'user', 'info'],
    [{ user: { uid: 0, gid: 0, groups: [] }, environment: { HEARTH_IMAGE: '1' } }, 'user', 'warning'],
    [{ user: { uid: 0, gid: 0, groups: [] }, files: { '/.dockerenv': '' } }, 'user', 'info'],
    [{ environment: { UV_USE_IO_URING: '1' }, kernelRelease: '5.10.60-qnap' }, 'io_uring', 'warning'],
    [{ environment: { UV_USE_IO_URING: '1' }, kernelRelease: '6.1.0' }, 'io_uring', 'ok'],
    [{ environment: { UV_USE_IO_URING: '0' }, kernelRelease: '5.10.60-qnap' }, 'io_uring', 'ok'],
  ])('%j: %s is %s', (machine, id, severity) => {
    const finding = system(machine, id);
    expect(finding.severity).toBe(severity);
    // What is not in order says what follows from it and what to do.
    if (severity !== 'ok') expect([finding.means, finding.fix]).toEqual([expect.any(String), expect.any(String)]);
  });

  it('says in which container it runs, and that a filter is on', () => {
    const files = { '/.dockerenv': '', '/proc/self/status': 'Seccomp:\t2\n' };
    expect(system({ files }, 'threads')).toMatchObject({
      severity: 'ok',
      found: expect.stringContaining('with a seccomp filter'),
      facts: { seccomp_mode: 2, container: 'a container of Docker' },
    });
  });

  it('of another kind than Linux has no kernel and no glibc to look at', () => {
    const ids = checkSystem(fakeBox({ platform: 'darwin', architecture: 'arm64', glibcVersion: null })).map(
      ({ id }) => id,
    );
    expect(ids).toEqual(['system.node', 'system.architecture', 'system.user']);
  });
});

describe('the processor', () => {
  const works = async () => ({ kernels: { name: 'haswell', isBuiltHere: false } });
  const flags = (text: string) => ({ '/proc/cpuinfo': `model name\t: Celeron\nflags\t\t: ${text}\n` });

  it('has the kernels that its instructions lead to', async () => {
    const findings = await checkProcessor(fakeBox(), works);
    expect(findings.map(({ severity }) => severity)).toEqual(['ok', 'ok', 'ok']);
    expect(findingOf(findings, 'processor.kernels')).toMatchObject({
      found: expect.stringMatching(/^haswell \(the library's own\)\n/),
      facts: { name: 'haswell', expected: 'haswell', built_here: false },
    });
    expect(findingOf(findings, 'processor.instructions')).toMatchObject({
      found: expect.stringMatching(/^Intel.* SSE 4\.2, .*AVX2; without AVX-VNNI, AVX-512, .*AMX$/),
      facts: { lacks: expect.arrayContaining(['AMX']) },
    });
  });

  it('without AVX2 is slow, and what to do about it is said', async () => {
    const box = fakeBox({ files: flags('sse4_2') });
    const findings = await checkProcessor(box, async () => ({ kernels: { name: 'sse42', isBuiltHere: false } }));
    expect(findingOf(findings, 'processor.instructions')).toMatchObject({
      severity: 'warning',
      fix: 'Take models of up to 1.5 billion parameters, and Q4_0 before Q4_K.',
    });
    expect(findingOf(findings, 'processor.kernels')).toMatchObject({ severity: 'ok', facts: { expected: 'sse42' } });
  });

  it('says what its kernels are fast at, and what those with our patches bring', async () => {
    const box = fakeBox({ files: flags('sse4_2') });
    const [own, built] = await Promise.all(
      [false, true].map(async (isBuiltHere) =>
        findingOf(
          await checkProcessor(box, async () => ({ kernels: { name: 'sse42', isBuiltHere } })),
          'processor.kernels',
        ),
      ),
    );
    expect(own!.found).toMatch(/\nof 4 bits Q4_0 reads prompts fastest; against it Q4_K 0\.\d\d, /);
    expect(own!.means).toMatch(
      /^With our patches they read prompts \d\.\d \(Q4_0\) to \d.* times as fast, measured on .*build:kernels/,
    );
    expect(built!.found).toMatch(/\nof 4 bits Q4_K reads prompts fastest/);
    expect(built!.means).toMatch(/^They read prompts .* times as fast as the library's own, measured on /);
    expect(built!.facts).toMatchObject({ measured_here: false, built_here: true });
  });

  it('says nothing of the speed of kernels that nobody measured', async () => {
    const kernels = { name: 'armv8.2_1', isBuiltHere: false };
    const box = fakeBox({ architecture: 'arm64', files: { '/proc/cpuinfo': 'Features\t: asimd asimddp\n' } });
    expect(findingOf(await checkProcessor(box, async () => ({ kernels })), 'processor.kernels')).toMatchObject({
      found: "armv8.2_1 (the library's own)",
      means: '"npm run build:kernels" tries whether faster ones can be built for this processor.',
    });
  });

  it('with others than expected is warned of, and a library that does not start is an error', async () => {
    const other = await checkProcessor(fakeBox(), async () => ({ kernels: { name: 'x64', isBuiltHere: false } }));
    expect(findingOf(other, 'processor.kernels').severity).toBe('warning');
    const broken = await checkProcessor(fakeBox(), async () => ({ reason: 'its process ended at once (SIGILL)' }));
    expect(findingOf(broken, 'processor.kernels')).toMatchObject({
      severity: 'error',
      found: expect.stringContaining('SIGILL'),
    });
  });

  it.each([
    ['version 2', groupV2({ 'cpu.max': '50000 100000' }), 'warning'],
    ['version 1', groupV1({ 'cpu/cpu.cfs_quota_us': '50000', 'cpu/cpu.cfs_period_us': '100000' }), 'warning'],
    ['version 2, no quota', groupV2({ 'cpu.max': 'max 100000' }), 'ok'],
  ])('has a quota of the control group, %s', async (_name, files, severity) => {
    const findings = await checkProcessor(fakeBox({ files }), works);
    expect(findingOf(findings, 'processor.cores')).toMatchObject({ severity });
  });
});

describe('memory', () => {
  it('is that of the machine, or the limit of the container in either version', () => {
    expect(memory({}, 'budget')).toMatchObject({ severity: 'ok', facts: { source: 'host' } });
    const v2 = groupV2({ 'memory.max': String(2 ** 29), 'memory.current': '1000', 'memory.stat': '' });
    expect(memory(v2, 'budget')).toMatchObject({
      severity: 'warning',
      facts: { source: 'cgroup-v2', cgroup_versions: [2] },
    });
    const v1 = groupV1({ 'memory/memory.limit_in_bytes': String(2 ** 29), 'memory/memory.usage_in_bytes': '1000' });
    expect(memory(v1, 'budget')).toMatchObject({ severity: 'warning', facts: { source: 'cgroup-v1' } });
  });

  it('that others have is told', () => {
    const files = { '/proc/meminfo': 'MemTotal: 8388608 kB\nMemAvailable: 500000 kB\nSwapTotal: 0 kB\n' };
    expect(memory(files, 'budget')).toMatchObject({
      severity: 'warning',
      means: expect.stringContaining('Other services'),
    });
  });

  it.each([
    ['SwapTotal: 0 kB\nSwapFree: 0 kB', 'ok'],
    ['SwapTotal: 4194304 kB\nSwapFree: 4000000 kB', 'ok'],
    ['SwapTotal: 4194304 kB\nSwapFree: 100000 kB', 'warning'],
  ])('swap of %s is %s', (lines, severity) => {
    expect(memory({ '/proc/meminfo': `MemTotal: 8388608 kB\n${lines}\n` }, 'swap').severity).toBe(severity);
  });

  it('for which the kernel has ended something is warned of, in both versions', () => {
    expect(memory(groupV2({ 'memory.events': 'low 0\noom 2\noom_kill 2\n' }), 'kills').facts).toEqual({ kills: 2 });
    const v1 = memory(groupV1({ 'memory/memory.oom_control': 'under_oom 0\noom_kill 1\n' }), 'kills');
    expect([v1.severity, v1.facts]).toEqual(['warning', { kills: 1 }]);
  });
});

describe('a GPU', () => {
  const render = {
    '/dev/dri/renderD128': '',
    '/sys/class/drm/renderD128/device/vendor': '0x8086\n',
    '/sys/class/drm/renderD128/device/device': '0x5a85\n',
  };
  const vulkan = {
    '/usr/lib/x86_64-linux-gnu/libvulkan.so.1': '',
    '/usr/share/vulkan/icd.d/intel_icd.x86_64.json': '{}',
  };
  const gpu = (machine: FakeMachine, wish = 'auto') => checkGpu(fakeBox(machine), { wish, dataFolder: '/data' });

  it('need not be there', () => {
    expect(gpu({})).toMatchObject([{ id: 'gpu.devices', severity: 'ok' }]);
  });

  it('that may be opened and has its libraries is in order, with what was tried before', () => {
    const tried = { '/data/gpu-probe.json': '{"results":{"vulkan":{"reason":"vulkan sees no device"}}}' };
    const findings = gpu({ files: { ...render, ...vulkan, ...tried } });
    expect(findings.map(({ id, severity }) => [id, severity])).toEqual([
      ['gpu.devices', 'ok'],
      ['gpu.vulkan', 'ok'],
    ]);
    expect(findings[0]!.found).toContain('vulkan sees no device');
  });

  it('that may not be opened names the group by its number', () => {
    const owner = { uid: 0, gid: 105, mode: 0o660, isFolder: false };
    const closed = (files: Record<string, string>) =>
      gpu({
        files: { ...render, ...vulkan, ...files },
        closed: ['/dev/dri/renderD128'],
        owners: { '/dev/dri/renderD128': owner },
      })[0];
    expect(closed({})).toMatchObject({ severity: 'warning', fix: expect.stringContaining('usermod -aG 105') });
    expect(closed({ '/.dockerenv': '' })).toMatchObject({ fix: expect.stringContaining('group_add: ["105"]') });
  });

  it('without a loader or a driver is warned of, unless GPUs are off', () => {
    expect(findingOf(gpu({ files: render }), 'gpu.vulkan')).toMatchObject({
      severity: 'warning',
      found: 'no loader (libvulkan.so.1)',
    });
    const loader = { '/usr/lib/libvulkan.so.1': '' };
    expect(findingOf(gpu({ files: { ...render, ...loader } }), 'gpu.vulkan').found).toBe('no driver');
    expect(gpu({ files: render }, 'off').map(({ severity }) => severity)).toEqual(['ok']);
  });

  it('of NVIDIA needs the library of its driver', () => {
    const nvidia = { '/dev/nvidia0': '', '/proc/driver/nvidia/version': 'NVRM version: Kernel Module  550.54\n' };
    expect(findingOf(gpu({ files: nvidia }), 'gpu.cuda').severity).toBe('warning');
    const library = { '/usr/lib/x86_64-linux-gnu/libcuda.so.1': '' };
    expect(findingOf(gpu({ files: { ...nvidia, ...library } }), 'gpu.cuda').severity).toBe('ok');
  });
});

describe('the folders', () => {
  const settings = {
    modelsFolder: '/models',
    dataFolder: '/data',
    configFile: null,
    reserveBytes: 10 ** 9,
    hasOwnDatabase: false,
  };
  const folders = (
    machine: FakeMachine,
    more: Partial<typeof settings> | { configFile: string } = {},
    share: string | null = null,
  ) => checkFolders(fakeBox(machine), { ...settings, ...more }, () => share);

  it('are in order on a usual machine', () => {
    expect(new Set(folders({}).map(({ severity }) => severity))).toEqual(new Set(['ok']));
  });

  it('that take no files name the owner and the one command that helps; that of models is only a warning', () => {
    const owner = { uid: 0, gid: 0, mode: 0o755, isFolder: true };
    const findings = folders({
      owners: { '/data': owner, '/models': owner },
      unwritable: { '/data': 'EACCES', '/models': 'EROFS' },
    });
    const data = findingOf(findings, 'folders.data');
    expect(data).toMatchObject({ severity: 'error', fix: expect.stringContaining('chown -R 1000:100 /data') });
    expect(data.fix).not.toContain('PUID');
    const theirs = { owners: { '/data': { ...owner, uid: 1001 } }, unwritable: { '/data': 'EACCES' } };
    expect(findingOf(folders(theirs), 'folders.data').fix).not.toContain('PUID');
    const inside = folders({ ...theirs, files: { '/.dockerenv': '' }, environment: { HEARTH_IMAGE: '1' } });
    expect(findingOf(inside, 'folders.data').fix).toContain('PUID=1001');
    expect(findingOf(findings, 'folders.models')).toMatchObject({ severity: 'warning', facts: { problem: 'EROFS' } });
  });

  it('that are not there yet are looked at where they will be made', () => {
    const there = folders({}, { dataFolder: '/srv/hearth/data' });
    expect(findingOf(there, 'folders.data').found).toContain('will be made');
    const closed = folders({ unwritable: { '/': 'EACCES' } }, { dataFolder: '/srv/hearth/data' });
    expect(findingOf(closed, 'folders.data').severity).toBe('error');
  });

  it('on a full disk, on a share, and a file for models are told', () => {
    const full = folders({ disks: { '/': { freeBytes: 10 ** 8, totalBytes: 10 ** 10 } } });
    expect([findingOf(full, 'disk.data').severity, findingOf(full, 'disk.models').severity]).toEqual([
      'warning',
      'warning',
    ]);
    expect(findingOf(folders({}, {}, 'NFS'), 'folders.share').severity).toBe('error');
    expect(findingOf(folders({}, { hasOwnDatabase: true }, 'NFS'), 'folders.share').severity).toBe('ok');
    const file = folders({ owners: { '/models': { uid: 1, gid: 1, mode: 0o644, isFolder: false } } });
    expect(findingOf(file, 'folders.models').severity).toBe('error');
  });

  it('a configuration that everybody may read must not have a key in it', () => {
    const at = (text: string, mode: number) =>
      findingOf(
        folders(
          {
            files: { '/etc/hearth.yaml': text },
            owners: { '/etc/hearth.yaml': { uid: 0, gid: 0, mode, isFolder: false } },
          },
          { configFile: '/etc/hearth.yaml' },
        ),
        'folders.config',
      );
    expect(at('providers:\n  openai:\n    api_key: sk-canary-1234\n', 0o644)).toMatchObject({
      severity: 'warning',
      fix: expect.stringContaining('chmod 600'),
    });
    expect(JSON.stringify(at('server:\n  api_key: sk-canary-1234\n', 0o644))).not.toContain('canary');
    expect(at('server:\n  api_key: sk-canary-1234\n', 0o600).severity).toBe('ok');
    expect(at(`server:\n  api_key: $${'{KEY}'}\n`, 0o644).severity).toBe('ok');
    expect(findingOf(folders({}, { configFile: '/etc/none.yaml' }), 'folders.config').severity).toBe('error');
  });
});

describe('the limits', () => {
  const limits = (files: Record<string, string>, id: string) =>
    findingOf(checkLimits(fakeBox({ files })), `limits.${id}`);

  it('are wide enough on a usual machine, and told where they are not', () => {
    expect(new Set(checkLimits(fakeBox()).map(({ severity }) => severity))).toEqual(new Set(['ok']));
    const low = { '/proc/self/limits': 'Max processes  50  50  processes\nMax open files  1024  4096  files\n' };
    expect([limits(low, 'files').severity, limits(low, 'processes').severity]).toEqual(['warning', 'warning']);
    expect(limits(groupV2({ 'pids.max': '100' }), 'processes')).toMatchObject({
      severity: 'warning',
      facts: { limit: 100 },
    });
    expect(limits({ '/proc/sys/fs/inotify/max_user_instances': '8' }, 'watches').severity).toBe('warning');
  });

  it('without a bound are none', () => {
    const none = { '/proc/self/limits': 'Max processes  unlimited  unlimited\nMax open files  unlimited  unlimited\n' };
    expect(limits(none, 'files')).toMatchObject({ found: 'no limit', facts: { limit: null } });
  });
});
