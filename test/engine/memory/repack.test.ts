import { describe, expect, test } from 'vitest';
import { repackRulesOf } from '../../../src/engine/memory/repack.ts';

describe('what a CPU repacks', () => {
  test.each([
    ['an old Celeron', 'x64', 'flags\t\t: fpu sse4_2 ssse3', []],
    ['AVX2', 'x64', 'flags\t\t: fpu avx avx2 fma', ['iq4_nl', 'mxfp4', 'q4_0', 'q4_k']],
    ['AVX-512', 'x64', 'flags\t\t: avx2 avx512f avx512bw', ['iq4_nl', 'mxfp4', 'q2_k', 'q4_0', 'q4_k']],
    [
      'Arm with dot products',
      'arm64',
      'Features\t: fp asimd asimddp',
      ['iq4_nl', 'mxfp4', 'q4_0', 'q4_k', 'q5_k', 'q6_k', 'q8_0'],
    ],
    ['Arm without', 'arm64', 'Features\t: fp asimd', []],
  ])('%s', (_title, architecture, cpuinfo, types) => {
    expect([...repackRulesOf(`processor\t: 0\n${cpuinfo}\nbogomips : 1\n`, architecture).keys()].sort()).toEqual(types);
  });

  test('tile kernels copy more types, and some grow', () => {
    const rules = repackRulesOf('flags\t: avx2 avx512f avx512bw avx512_vnni amx_tile amx_int8', 'x64');
    expect(rules.get('q4_1')).toBe(1);
    expect(rules.get('q8_0')).toBeCloseTo(1.118, 3);
    expect(rules.has('f32')).toBe(false);
  });

  test('without /proc/cpuinfo the usual CPU is assumed', () => {
    expect(repackRulesOf(null, 'x64').has('q4_0')).toBe(true);
    expect(repackRulesOf(null, 'arm64').has('q8_0')).toBe(true);
  });
});
