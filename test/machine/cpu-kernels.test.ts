import { describe, expect, it } from 'vitest';
import { cpuFeatures, expectedKernels, lackingFeatures, probeCpuKernels } from '../../src/machine/cpu-kernels.ts';
import { fakeWorker } from '../support/fake-worker.ts';
import { manualClock } from '../support/manual-clock.ts';

const avx2 = 'sse4_2 avx f16c fma bmi2 avx2';
const avx512 = `${avx2} avx512f avx512cd avx512vl avx512dq avx512bw`;
const has = (flags: string, word = 'flags') =>
  cpuFeatures((path) => (path === '/proc/cpuinfo' ? `processor : 0\n${word}\t: fpu ${flags}\n` : null))!;

describe('the kernels for a processor', () => {
  it.each([
    ['Celeron J3455', 'sse4_2', 'sse42'],
    ['a first 64-bit processor', '', 'x64'],
    ['Haswell', avx2, 'haswell'],
    ['Alder Lake', `${avx2} avx_vnni`, 'alderlake'],
    ['Skylake-X', avx512, 'skylakex'],
    ['Zen 4', `${avx512} avx512vbmi avx512_vnni avx512_bf16`, 'zen4'],
    ['Zen 5', `${avx512} avx512vbmi avx512_vnni avx512_bf16 avx_vnni`, 'zen4'],
    ['Sapphire Rapids', `${avx512} avx512vbmi avx512_vnni avx512_bf16 avx_vnni amx_int8`, 'sapphirerapids'],
    ['half of AVX-512', `${avx2} avx512f avx512cd`, 'haswell'],
  ])('%s', (_name, flags, kernels) => {
    expect(expectedKernels('x64', has(flags))).toBe(kernels);
  });

  it.each([
    ['Cortex-A72', 'fp asimd', 'armv8.0_1'],
    ['Cortex-A55', 'asimd asimddp asimdhp', 'armv8.2_2'],
    ['Neoverse V1', 'asimddp asimdhp sve i8mm', 'armv8.6_1'],
  ])('%s', (_name, flags, kernels) => {
    expect(expectedKernels('arm64', has(flags, 'Features'))).toBe(kernels);
  });

  it('lack what others of its kind have, the most helpful of it named', () => {
    expect(lackingFeatures('x64', has(`${avx512} avx512vbmi avx512_vnni avx512_bf16 avx_vnni`))).toEqual(['AMX']);
    expect(lackingFeatures('arm64', has('asimddp', 'Features'))).toContain('SVE');
  });

  it('are not known without a list of flags, or for another architecture', () => {
    expect(cpuFeatures(() => null)).toBeNull();
    expect(expectedKernels('ia32', new Set())).toBeNull();
  });
});

describe('a start of the library for a look', () => {
  function probe() {
    const worker = fakeWorker();
    const clock = manualClock();
    return { worker, clock, result: probeCpuKernels({ fork: () => worker, clock }) };
  }
  const report = { deviceNames: [], totalBytes: 0, freeBytes: 0, unifiedBytes: 0 };

  it('tells what it took, and ends the process', async () => {
    const { worker, result } = probe();
    expect(worker.received).toEqual([{ type: 'probe', backend: null }]);
    worker.emit({ type: 'probed', report: { ...report, kernels: { name: 'haswell', isBuiltHere: true } } });
    worker.exit({ code: null, signal: 'SIGKILL', stderrTail: [] });
    expect(await result).toEqual({ kernels: { name: 'haswell', isBuiltHere: true } });
  });

  it('tells of a crash, of a failure, and of one that hangs', async () => {
    const crashed = probe();
    crashed.worker.exit({ code: null, signal: 'SIGILL', stderrTail: [] });
    expect(await crashed.result).toEqual({ reason: 'its process ended at once (SIGILL)' });
    const hung = probe();
    hung.clock.advance(60_000);
    hung.worker.exit({ code: null, signal: 'SIGKILL', stderrTail: [] });
    expect(await hung.result).toEqual({ reason: 'it did not start within 60 s' });
  });
});
