import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GpuNodes } from '../../../src/machine/gpu/nodes.ts';
import { createProbeCache, probeKey } from '../../../src/machine/gpu/probe-cache.ts';
import { someGpu } from '../../support/fake-gpu.ts';

const none: GpuNodes = { nodes: [], nvidiaDriver: null, problems: [] };

describe('kept results of probes', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-gpu-'));
    file = join(folder, 'data', 'gpu-probe.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are there for the next process, backend by backend', () => {
    createProbeCache(file).put('k', 'vulkan', { devices: [someGpu] });
    createProbeCache(file).put('k', 'cuda', { reason: 'cuda crashed on start (SIGSEGV)', lasting: true });
    const next = createProbeCache(file);
    expect(next.get('k', 'vulkan')).toEqual({ devices: [someGpu] });
    expect(next.get('k', 'cuda')).toEqual({ reason: 'cuda crashed on start (SIGSEGV)', lasting: true });
    expect(next.get('k', 'metal')).toBeNull();
  });

  it('are forgotten with another key', () => {
    const cache = createProbeCache(file);
    cache.put('old', 'vulkan', { devices: [someGpu] });
    expect(cache.get('new', 'vulkan')).toBeNull();
    cache.put('new', 'cuda', { devices: [someGpu] });
    expect(cache.get('old', 'vulkan')).toBeNull();
  });

  it('leave out failures that may be mended, such as a driver that is not installed yet', () => {
    const cache = createProbeCache(file);
    cache.put('k', 'vulkan', { reason: 'vulkan sees no device', lasting: false });
    expect(cache.get('k', 'vulkan')).toBeNull();
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ['broken', '{"key":"k","results":{"vulk'],
    ['of another shape', '{"key":"k","results":{"vulkan":{"devices":[{"name":"x"}]}}}'],
    ['empty', ''],
  ])('count as none when the file is %s, and are written anew', (_title, text) => {
    createProbeCache(file).put('k', 'vulkan', { devices: [someGpu] });
    writeFileSync(file, text);
    const cache = createProbeCache(file);
    expect(cache.get('k', 'vulkan')).toBeNull();
    cache.put('k', 'vulkan', { devices: [someGpu] });
    expect(JSON.parse(readFileSync(file, 'utf8')).results.vulkan.devices).toEqual([someGpu]);
  });

  it('cost nothing but the next probe when the folder cannot be written', () => {
    writeFileSync(join(folder, 'plain'), '');
    const cache = createProbeCache(join(folder, 'plain', 'gpu-probe.json'));
    cache.put('k', 'vulkan', { devices: [someGpu] });
    expect(cache.get('k', 'vulkan')).toBeNull();
  });
});

describe('the key of a probe', () => {
  const key = (version = '1', nodes = none, environment = {}) => probeKey(version, nodes, environment);
  it('changes with the library, the devices, the driver and the variables that steer drivers', () => {
    const keys = [
      key(),
      key('2'),
      key('1', { ...none, nvidiaDriver: '570' }),
      key('1', { ...none, problems: ['a problem is no device'], nodes: [] }),
      key('1', none, { CUDA_VISIBLE_DEVICES: '0' }),
      key('1', none, { GGML_VK_VISIBLE_DEVICES: '0' }),
    ];
    expect(keys[3]).toBe(keys[0]);
    expect(new Set(keys).size).toBe(5);
  });
  it('does not change with other variables or their order', () => {
    expect(key('1', none, { PATH: '/bin', HOME: '/' })).toBe(key());
    expect(key('1', none, { VK_B: '1', VK_A: '2' })).toBe(key('1', none, { VK_A: '2', VK_B: '1' }));
  });
});
