import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findGpuNodes, systemGpuFiles } from '../../../src/machine/gpu/nodes.ts';
import { machine } from '../../support/gpu-machine.ts';

const nvidia = {
  '/dev/nvidia0': '',
  '/dev/nvidiactl': '',
  '/dev/nvidia-uvm': '',
  '/proc/driver/nvidia/version':
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 01:56:05 UTC 2025\nGCC version: gcc 12\n',
  '/proc/driver/nvidia/gpus/0000:01:00.0/information':
    'Model: \t\t NVIDIA GeForce RTX 3060\nIRQ:   \t\t 52\nBus Location: \t 0000:01:00.0\nDevice Minor: \t 0\n',
  '/sys/bus/pci/devices/0000:01:00.0/class': '0x030000\n',
  '/sys/bus/pci/devices/0000:01:00.0/vendor': '0x10de\n',
  '/sys/bus/pci/devices/0000:01:00.0/device': '0x2504\n',
};
const amd = {
  '/dev/kfd': '',
  '/dev/dri/card0': '',
  '/dev/dri/renderD128': '',
  '/sys/class/drm/renderD128/device': '-> ../../../0000:03:00.0',
  '/sys/class/drm/renderD128/device/vendor': '0x1002\n',
  '/sys/class/drm/renderD128/device/device': '0x73FF\n',
  '/sys/class/drm/renderD128/device/mem_info_vram_total': '8573157376\n',
  '/sys/bus/pci/devices/0000:03:00.0/class': '0x030000\n',
  '/sys/bus/pci/devices/0000:03:00.0/vendor': '0x1002\n',
};
const intel = {
  '/dev/dri/renderD128': '',
  '/sys/class/drm/renderD128/device': '-> ../../../0000:00:02.0',
  '/sys/class/drm/renderD128/device/vendor': '0x8086\n',
  '/sys/class/drm/renderD128/device/device': '0x5a85\n',
};

describe('looking for GPUs', () => {
  it('finds nothing, and nothing to complain about, on a machine without one', () => {
    const virtual = {
      '/sys/bus/pci/devices/0000:00:01.0/class': '0x030000',
      '/sys/bus/pci/devices/0000:00:01.0/vendor': '0x1af4',
    };
    expect(findGpuNodes(machine({ '/dev/null': '', ...virtual }))).toEqual({
      nodes: [],
      nvidiaDriver: null,
      problems: [],
    });
  });

  it('tells an NVIDIA card by the name that its driver gives, with the driver’s version', () => {
    expect(findGpuNodes(machine(nvidia))).toEqual({
      nodes: [
        {
          path: '/dev/nvidia0',
          kind: 'nvidia',
          vendor: 'nvidia',
          name: 'NVIDIA GeForce RTX 3060',
          address: '0000:01:00.0',
          memoryBytes: null,
          isIntegrated: false,
          canOpen: true,
        },
      ],
      nvidiaDriver: '570.124.06',
      problems: [],
    });
  });

  it('reads an AMD card’s video memory where its driver shows it', () => {
    expect(findGpuNodes(machine(amd))).toMatchObject({
      nodes: [
        { kind: 'render', vendor: 'amd', name: 'AMD 1002:73ff', memoryBytes: 8_573_157_376, isIntegrated: false },
      ],
      problems: [],
    });
  });

  it('knows Intel’s graphics in the processor by their place on the bus, and a card elsewhere as a card', () => {
    const card = { ...intel, '/sys/class/drm/renderD128/device': '-> ../../../0000:03:00.0' };
    expect(findGpuNodes(machine(intel)).nodes).toMatchObject([{ vendor: 'intel', isIntegrated: true }]);
    expect(findGpuNodes(machine(card)).nodes).toMatchObject([{ vendor: 'intel', isIntegrated: false }]);
  });

  it('says which group is missing when a node may not be opened', () => {
    const { nodes, problems } = findGpuNodes(machine(intel, ['/dev/dri/renderD128']));
    expect(nodes).toMatchObject([{ canOpen: false }]);
    expect(problems).toEqual([
      "/dev/dri/renderD128 may not be opened by this user; add the server's user to the group that owns it (often render)",
    ]);
  });

  it.each([
    [
      'an NVIDIA card',
      '0x10de',
      '0x2504',
      'a GPU (NVIDIA 10de:2504) is on the bus but has no device node here; a container needs the NVIDIA container toolkit, or /dev/nvidia* passed through',
    ],
    [
      'an AMD card',
      '0x1002',
      '0x73ff',
      'a GPU (AMD 1002:73ff) is on the bus but has no device node here; a container needs /dev/dri passed through',
    ],
  ])('says what a container lacks that sees %s on the bus only', (_title, vendor, device, problem) => {
    const card = '/sys/bus/pci/devices/0000:01:00.0';
    const tree = { [`${card}/class`]: '0x030200\n', [`${card}/vendor`]: vendor, [`${card}/device`]: device };
    expect(findGpuNodes(machine(tree))).toEqual({ nodes: [], nvidiaDriver: null, problems: [problem] });
  });

  it('says that an AMD card needs /dev/dri when only its compute node is passed through', () => {
    expect(findGpuNodes(machine({ '/dev/kfd': '' })).problems).toEqual([
      '/dev/kfd is here without /dev/dri; AMD GPUs are used through Vulkan, which needs /dev/dri',
    ]);
  });

  it('does without what a driver leaves out or garbles', () => {
    const odd = {
      '/dev/nvidia1': '',
      '/proc/driver/nvidia/gpus/x/information': '\0\0',
      '/dev/dri/renderD129': '',
      '/sys/class/drm/renderD129/device/vendor': 'what',
      '/sys/class/drm/renderD129/device/mem_info_vram_total': '-1',
    };
    expect(findGpuNodes(machine(odd)).nodes).toMatchObject([
      { name: 'NVIDIA GPU', address: null, memoryBytes: null },
      { name: 'GPU', vendor: 'other', address: null, memoryBytes: null },
    ]);
  });
});

describe('the files of this machine', () => {
  it('are read, listed and followed, and what is not there is nothing', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hearth-gpu-'));
    const files = systemGpuFiles();
    writeFileSync(join(folder, 'b'), 'text');
    symlinkSync('../../0000:01:00.0', join(folder, 'a'));
    expect(files.list(folder)).toEqual(['a', 'b']);
    expect(files.read(join(folder, 'b'))).toBe('text');
    expect(files.linkName(join(folder, 'a'))).toBe('0000:01:00.0');
    expect(files.canOpen(join(folder, 'b'))).toBe(true);
    const absent = join(folder, 'absent');
    expect([files.list(absent), files.read(absent), files.linkName(absent), files.canOpen(absent)]).toEqual([
      [],
      null,
      null,
      false,
    ]);
    rmSync(folder, { recursive: true });
  });
});
