import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { largestDifference, predictsTheSame } from '../../../scripts/kernels/check.ts';
import { BuildError, chooseCompilers, requireTools, unpackSource } from '../../../scripts/kernels/compile.ts';
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
    expect(chooseCompilers({ CC: 'gcc-14', CXX: 'g++-14' })).toEqual({ CC: 'gcc-14', CXX: 'g++-14' });
    expect(chooseCompilers({ CXX: 'g++-14' })).toEqual({ CXX: 'g++-14' });
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
