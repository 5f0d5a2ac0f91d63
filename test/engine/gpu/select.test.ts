import { describe, expect, it } from 'vitest';
import { createGpuSelector } from '../../../src/engine/gpu/select.ts';
import type { GpuBackend } from '../../../src/ipc/gpu.ts';
import type { GpuDevice, GpuWish } from '../../../src/machine/gpu/device.ts';
import { gpuWish } from '../../../src/machine/gpu/device.ts';
import type { GpuNode, GpuNodes } from '../../../src/machine/gpu/nodes.ts';
import type { ProbeResult } from '../../../src/machine/gpu/probe.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { someGpu } from '../../support/fake-gpu.ts';

const gib = 2 ** 30;
const card: GpuNode = {
  path: '/dev/dri/renderD128',
  kind: 'render',
  vendor: 'amd',
  name: 'AMD 1002:73ff',
  address: '0000:03:00.0',
  memoryBytes: null,
  isIntegrated: false,
  canOpen: true,
};
const nvidia: GpuNode = { ...card, path: '/dev/nvidia0', kind: 'nvidia', vendor: 'nvidia', name: 'RTX' };
const inProcessor: GpuNode = { ...card, vendor: 'intel', name: 'Intel 8086:5a85', isIntegrated: true };
const integrated: GpuDevice = { ...someGpu, name: 'Iris', kind: 'integrated' };

function setup(
  options: {
    nodes?: GpuNode[];
    problems?: string[];
    results?: Partial<Record<GpuBackend, ProbeResult>>;
    platform?: NodeJS.Platform;
    usedBytes?: () => number;
  } = {},
) {
  const probed: GpuBackend[] = [];
  const stored = new Map<string, ProbeResult>();
  const found: GpuNodes = { nodes: options.nodes ?? [], nvidiaDriver: null, problems: options.problems ?? [] };
  const make = () =>
    createGpuSelector({
      findNodes: () => found,
      platform: options.platform ?? 'linux',
      async probe(backend) {
        probed.push(backend);
        return options.results?.[backend] ?? { reason: `${backend} sees no device`, lasting: false };
      },
      cache: {
        get: (key, backend) => stored.get(`${key} ${backend}`) ?? null,
        put: (key, backend, result) => stored.set(`${key} ${backend}`, result),
      },
      keyOf: (nodes) => nodes.nodes.map(({ path }) => path).join(),
      usedBytes: options.usedBytes ?? (() => 0),
      log: createLogger('silent'),
    });
  return { selector: make(), again: make, probed, found };
}

describe('choosing a GPU', () => {
  it.each<GpuWish>(['auto', 'off', 'prefer'])(
    'starts no process without a device node when asked for %s',
    async (wish) => {
      const { selector, probed } = setup();
      const choice = await selector.choose('m', wish);
      expect(choice).toEqual({ device: null, reason: wish === 'prefer' ? 'no GPU device was found' : null });
      expect(probed).toEqual([]);
    },
  );

  it('starts no process when GPUs are off, whatever there is', async () => {
    const { selector, probed } = setup({ nodes: [nvidia], results: { cuda: { devices: [someGpu] } } });
    expect(await selector.choose('m', 'off')).toEqual({ device: null, reason: null });
    expect(probed).toEqual([]);
    expect(selector.status()).toEqual({ devices: [], problems: [] });
  });

  it('says what stands between a GPU on the bus and its use', async () => {
    const { selector } = setup({ problems: ['a container needs /dev/dri'] });
    expect(await selector.choose('m', 'auto')).toEqual({ device: null, reason: 'a container needs /dev/dri' });
  });

  it('probes once for everyone who asks, and not again', async () => {
    const { selector, probed } = setup({ nodes: [card], results: { vulkan: { devices: [someGpu] } } });
    const choices = await Promise.all(['a', 'b'].map((id) => selector.choose(id, 'auto')));
    expect(choices).toEqual([{ device: someGpu }, { device: someGpu }]);
    await selector.choose('c', 'vulkan');
    expect(probed).toEqual(['vulkan']);
  });

  it('takes a result that an earlier process kept', async () => {
    const { selector, again, probed } = setup({ nodes: [card], results: { vulkan: { devices: [someGpu] } } });
    await selector.choose('a', 'auto');
    expect(await again().choose('a', 'auto')).toEqual({ device: someGpu });
    expect(probed).toEqual(['vulkan']);
  });

  it('probes again when the devices are others', async () => {
    const { selector, probed, found } = setup({ nodes: [card], results: { vulkan: { devices: [someGpu] } } });
    await selector.choose('a', 'auto');
    found.nodes = [card, { ...card, path: '/dev/dri/renderD129' }];
    await selector.choose('a', 'auto');
    expect(probed).toEqual(['vulkan', 'vulkan']);
  });

  it('tries CUDA first for an NVIDIA card, then Vulkan', async () => {
    const { selector, probed } = setup({ nodes: [nvidia], results: { vulkan: { devices: [someGpu] } } });
    expect(await selector.choose('m', 'auto')).toEqual({ device: someGpu });
    expect(probed).toEqual(['cuda', 'vulkan']);
  });

  it('gives every reason when nothing works', async () => {
    const { selector } = setup({
      nodes: [nvidia],
      results: { cuda: { reason: 'cuda crashed on start (SIGSEGV)', lasting: true } },
    });
    expect(await selector.choose('m', 'auto')).toEqual({
      device: null,
      reason: 'cuda crashed on start (SIGSEGV); vulkan sees no device',
    });
  });

  it('tries a backend that is asked for by name even where no device node is seen', async () => {
    const { selector, probed } = setup({ results: { vulkan: { devices: [someGpu] } } });
    expect(await selector.choose('m', 'vulkan')).toEqual({ device: someGpu });
    expect(probed).toEqual(['vulkan']);
  });

  it('takes Metal on a Mac', async () => {
    const { selector, probed } = setup({ platform: 'darwin' });
    await selector.choose('m', 'auto');
    expect(probed).toEqual(['metal']);
  });

  it('leaves graphics that share the memory alone unless they are asked for, and does not even probe Intel’s', async () => {
    const { selector, probed } = setup({ nodes: [inProcessor], results: { vulkan: { devices: [integrated] } } });
    expect(await selector.choose('m', 'auto')).toEqual({
      device: null,
      reason: 'Intel 8086:5a85 has no memory of its own; a load that prefers a GPU uses it anyway',
    });
    expect(probed).toEqual([]);
    expect(await selector.choose('m', 'prefer')).toEqual({ device: integrated });
  });

  it('passes over graphics that only the probe shows to share the memory', async () => {
    const { selector } = setup({ nodes: [card], results: { vulkan: { devices: [integrated] } } });
    expect(await selector.choose('m', 'auto')).toEqual({
      device: null,
      reason: 'Iris has no memory of its own; a load that prefers a GPU uses it anyway',
    });
    expect(await selector.choose('m', 'vulkan')).toEqual({ device: integrated });
  });

  it('takes the device with the most free memory', async () => {
    const big = { ...someGpu, name: 'Big', freeBytes: 20 * gib, totalBytes: 24 * gib };
    const { selector } = setup({ nodes: [card], results: { vulkan: { devices: [someGpu, big, integrated] } } });
    expect(await selector.choose('m', 'auto')).toEqual({ device: big });
  });

  it('keeps a model off the GPU after a failure until an operator asks for it', async () => {
    const { selector } = setup({ nodes: [card], results: { vulkan: { devices: [someGpu] } } });
    selector.blame('m', 'it crashed');
    expect(await selector.choose('m', 'auto')).toEqual({ device: null, reason: 'it crashed' });
    expect(await selector.choose('other', 'auto')).toEqual({ device: someGpu });
    selector.forgive('m');
    expect(await selector.choose('m', 'auto')).toEqual({ device: someGpu });
  });
});

describe('the GPU that is known', () => {
  it('is none before anything was chosen, and then the same choice without looking again', async () => {
    let usedBytes = 0;
    const { selector, found } = setup({
      nodes: [card],
      results: { vulkan: { devices: [integrated, someGpu] } },
      usedBytes: () => usedBytes,
    });
    expect(selector.known('m', 'auto')).toBeNull();
    await selector.choose('other', 'auto');
    found.nodes = [];
    usedBytes = gib;
    expect(selector.known('m', 'auto')).toEqual({ ...someGpu, freeBytes: 6 * gib });
    expect(selector.known('m', 'vulkan')).not.toBeNull();
    expect(selector.known('m', 'off')).toBeNull();
    expect(selector.known('m', 'cuda')).toBeNull();
    selector.blame('m', 'it crashed');
    expect(selector.known('m', 'auto')).toBeNull();
  });
});

describe('free video memory', () => {
  it('is what was measured, less what our models take that were not in it', async () => {
    let usedBytes = 0;
    const { selector } = setup({
      nodes: [card],
      results: { vulkan: { devices: [someGpu] } },
      usedBytes: () => usedBytes,
    });
    const free = () => selector.status().devices.map(({ freeBytes }) => freeBytes / gib);
    expect(await selector.choose('m', 'auto')).toEqual({ device: someGpu });
    usedBytes = 3 * gib;
    expect(free()).toEqual([4]);
    // A worker measures with that model in it: another program has a gibibyte.
    selector.noteFree(someGpu, 3 * gib);
    expect(free()).toEqual([3]);
    usedBytes = 0;
    expect(free()).toEqual([6]);
    expect(await selector.choose('m', 'auto')).toEqual({ device: { ...someGpu, freeBytes: 6 * gib } });
  });

  it('is never less than nothing', async () => {
    const { selector } = setup({
      nodes: [card],
      results: { vulkan: { devices: [someGpu] } },
      usedBytes: () => 0,
    });
    await selector.choose('m', 'auto');
    selector.noteFree(someGpu, 0);
    expect(selector.status().devices).toMatchObject([{ freeBytes: 0 }]);
  });
});

describe('prefer_gpu', () => {
  it.each<[GpuWish, boolean | undefined, GpuWish]>([
    ['auto', undefined, 'auto'],
    ['auto', true, 'prefer'],
    ['off', true, 'prefer'],
    ['vulkan', true, 'vulkan'],
    ['vulkan', false, 'off'],
    ['off', undefined, 'off'],
  ])('on top of %s, %s asks for %s', (configured, preferGpu, wish) => {
    expect(gpuWish(configured, preferGpu)).toBe(wish);
  });
});
