import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { largestDifference, predictsTheSame } from '../../../scripts/kernels/check.ts';
import { BuildError, compilersHere, requireTools, unpackSource } from '../../../scripts/kernels/compile.ts';
import { patchFiles } from '../../../scripts/kernels/folders.ts';
import { repositoryRoot } from '../../support/server.ts';

const bundle = join(repositoryRoot, 'node_modules/node-llama-cpp/llama/gitRelease.bundle');

const lacksGit = spawnSync('git', ['--version']).status !== 0;

describe.skipIf(lacksGit)(`the source of the kernels${lacksGit ? ' (skipped: no git)' : ''}`, () => {
  it('comes with the pinned library, and our patches fit it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hearth-kernels-test-'));
    try {
      const source = join(folder, 'source');
      unpackSource(bundle, patchFiles(), source);
      const operations = readFileSync(join(source, 'ggml/src/ggml-cpu/ops.cpp'), 'utf8');
      expect(operations).toContain('tiles_per_head');
      expect(operations).toContain('ggml_fa_group');
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/ggml-cpu.cpp'), 'utf8')).toContain('kept_threadpool');
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/arch/x86/quants.c'), 'utf8')).toContain('ssse3_dot_q4_1(');
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/ggml-cpu.c'), 'utf8')).toContain('panels_multiply(');
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/arch/x86/sse-panels.cpp'), 'utf8')).toContain(
        'multiply_columns<',
      );
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/repack.cpp'), 'utf8')).toContain(
        'ggml_cpu_panels_interleaved(',
      );
      expect(readFileSync(join(source, 'ggml/src/ggml-cpu/amx/mmq.cpp'), 'utf8')).toContain('mul_mat_tiles<');
      // A second time they do not fit, and that is said.
      const again = () => unpackSource(bundle, [...patchFiles(), ...patchFiles()], join(folder, 'again'));
      expect(again).toThrow(BuildError);
      expect(again).toThrow(/could not be unpacked|does not fit/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('compilers', () => {
  it('are those that the environment names', () => {
    expect(compilersHere({ CC: 'gcc-14', CXX: 'g++-14' })).toEqual([{ label: 'g++-14', CC: 'gcc-14', CXX: 'g++-14' }]);
    expect(compilersHere({ CXX: 'g++-14' })).toEqual([{ label: 'g++-14', CXX: 'g++-14' }]);
  });

  it('are otherwise all that are here, Clang first', () => {
    const has = (...tools: string[]) => compilersHere({}, (tool) => tools.includes(tool)).map(({ label }) => label);
    expect(has('gcc', 'g++', 'clang-16', 'clang++-16', 'clang-14', 'clang++-14')).toEqual(['clang-16', 'gcc']);
    expect(has('gcc', 'g++', 'clang')).toEqual(['gcc']);
    expect(has()).toEqual(['the default compiler']);
  });

  it('must be there', () => {
    expect(() => requireTools({ CXX: 'no-such-compiler' })).toThrow(/CC and CXX name compilers.*no-such-compiler/);
  });
});

describe('predictions of other kernels', () => {
  const before = [{ 5: 0.6, 7: 0.3 }, { 1: 0.9 }];

  it('are the same when no probability is far off', () => {
    expect(largestDifference(before, before)).toBe(0);
    const rounded = [
      { 5: 0.57, 7: 0.33 },
      { 1: 0.9, 8: 0.01 },
    ];
    expect(largestDifference(before, rounded)).toBeCloseTo(0.03);
    expect(predictsTheSame(before, rounded)).toBe(true);
  });

  it.each([
    ['another token is likelier', [{ 5: 0.3, 7: 0.6 }, { 1: 0.9 }]],
    ['a token is gone', [{ 5: 0.6, 7: 0.3 }, { 2: 0.9 }]],
    ['a probability is no number', [{ 5: Number.NaN, 7: 0.3 }, { 1: 0.9 }]],
    ['a prediction is missing', [{ 5: 0.6, 7: 0.3 }]],
  ])('are others when %s', (_, after) => {
    expect(predictsTheSame(before, after)).toBe(false);
  });
});
