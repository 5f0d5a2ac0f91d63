import { describe, expect, it } from 'vitest';
import { loadedKernels } from '../../../src/worker/llama/kernels.ts';

const folder = '/app/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64';
const maps = [
  `7f0000000000-7f0000001000 r--p 00000000 fe:00 11 ${folder}/libggml-base.so`,
  `7f0000002000-7f0000003000 r-xp 00001000 fe:00 12 ${folder}/libggml-cpu-haswell.so`,
  '7f0000004000-7f0000005000 rw-p 00000000 00:00 0 [heap]',
].join('\n');
const reader = (files: Record<string, string>) => (path: string) => files[path] ?? null;

describe('the kernels of a process', () => {
  it('are read from what it has mapped', () => {
    expect(loadedKernels(reader({ '/proc/self/maps': maps }))).toEqual({ name: 'haswell', isBuiltHere: false });
  });

  it('are known as ours by the record beside them', () => {
    const record = (text: string) => reader({ '/proc/self/maps': maps, [`${folder}/hearth-kernels.json`]: text });
    expect(loadedKernels(record('{"libggml-cpu-haswell.so":"abc"}'))?.isBuiltHere).toBe(true);
    expect(loadedKernels(record('{"libggml-cpu-zen4.so":"abc"}'))?.isBuiltHere).toBe(false);
    expect(loadedKernels(record('{"libggml-c'))?.isBuiltHere).toBe(false);
  });

  it('are unknown where there are none to choose from, or no /proc', () => {
    expect(loadedKernels(reader({ '/proc/self/maps': maps.replace('-haswell', '') }))).toBeNull();
    expect(loadedKernels(() => null)).toBeNull();
  });
});
