import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { paceTable, savePaces, toMeasurement } from '../../../scripts/kernels/saved-paces.ts';
import { weightTypes } from '../../../scripts/kernels/weight-types.ts';
import { pacesName, readKernelPaces } from '../../../src/machine/kernel-paces.ts';
import { fileTypeLabels, tensorTypes } from '../../../src/store/gguf/tensor-types.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-paces-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const measured = (builtHere: boolean, prompt: number, library = '/a/b/libggml-cpu-sse42.so') =>
  toMeasurement(library, builtHere, { q4_0: { prompt, decode: 5 } }, 'npm run build:kernels');

describe('what was measured of kernels', () => {
  it('lies beside them in a form that the server reads', () => {
    savePaces(root, [measured(false, 10), measured(true, 20)]);
    const folder = join('/library/linux-x64/bins/linux-x64', pacesName);
    const known = readKernelPaces({
      readFile: (path) => (path === folder ? readFileSync(join(root, pacesName), 'utf8') : null),
      list: (path) => ({ '/library': ['linux-x64'], '/library/linux-x64/bins': ['linux-x64'] })[path] ?? [],
      architecture: 'x64',
      libraryFolder: '/library',
      kernels: { name: 'sse42', isBuiltHere: true },
    });
    expect(known.paces).toMatchObject({ types: { q4_0: { prompt: 20, decode: 5 } }, isMeasuredHere: true });
    expect(known.gainOfBuilt({ q4_0: 1 })).toMatchObject({ prompt: 2, isMeasuredHere: true });
  });

  it('takes the place of what was measured of the same kernels before, and of nothing else', () => {
    savePaces(root, [measured(false, 10), measured(true, 20)]);
    savePaces(root, [measured(true, 30), measured(true, 7, 'libggml-cpu-haswell.so')]);
    const { measured: kept } = JSON.parse(readFileSync(join(root, pacesName), 'utf8'));
    expect(
      kept.map((one: ReturnType<typeof measured>) => [one.kernels, one.builtHere, one.types['q4_0']!.prompt]),
    ).toEqual([
      ['sse42', false, 10],
      ['sse42', true, 30],
      ['haswell', true, 7],
    ]);
  });

  it.each(['{"version":1,"measured":[', '{"version":2,"measured":[{}]}'])(
    'takes the place of a file that says %s',
    (text) => {
      writeFileSync(join(root, pacesName), text);
      savePaces(root, [measured(false, 10)]);
      expect(JSON.parse(readFileSync(join(root, pacesName), 'utf8')).measured).toHaveLength(1);
    },
  );

  it('is printed with the library beside ours', () => {
    expect(paceTable([measured(false, 10), measured(true, 20)])).toEqual([
      '         weights   the library   ours (prompts / answers, tokens/s of one thread)',
      '         q4_0      10 / 5        20 / 5',
    ]);
    expect(paceTable([measured(false, 10)])[1]).toBe('         q4_0      10 / 5');
  });
});

describe('the types of weights that are measured', () => {
  it('have blocks as GGUF has them, and halves inside of them', () => {
    for (const { label, typeNumber, fileType, elements, bytes, scaleOffsets } of weightTypes) {
      expect(tensorTypes.get(typeNumber)).toEqual({ label, blockElements: elements, blockBytes: bytes });
      expect(fileTypeLabels.get(fileType)!.startsWith(label)).toBe(true);
      for (const offset of scaleOffsets!) expect(offset).toBeLessThanOrEqual(bytes - 2);
    }
  });
});
