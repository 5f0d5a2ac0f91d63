import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type KernelMeasurement, pacesName, readKernelPaces, toKernelPaces } from '../../src/machine/kernel-paces.ts';
import { createAdvice } from '../../src/machine/quantization-advice.ts';

const folder = '/library/linux-x64/bins/linux-x64';
const celeron = 'processor : 0\nmodel name\t: Intel(R) Celeron(R) J4125 CPU\nflags\t\t: fpu ssse3 sse4_2\n';

const zen4 = `model name\t: AMD EPYC\nflags\t\t: ${[
  'fpu ssse3 sse4_2 avx f16c fma bmi2 avx2 avx512f avx512cd avx512vl avx512dq avx512bw avx512vbmi avx512_vnni',
  'avx512_bf16',
].join(' ')}\n`;

/** The library's folders with some files in them. `libraries`: names of the kernels that lie there. */
const machine = (
  files: Record<string, string> = {},
  cpuinfo = celeron,
  libraries = ['x64', 'sse42', 'haswell', 'zen4'],
) =>
  readKernelPaces({
    readFile: (path) => (path === '/proc/cpuinfo' ? cpuinfo : (files[path] ?? null)),
    list: (path) =>
      ({
        '/library': ['linux-x64-vulkan', 'linux-x64', 'linux-arm64'],
        '/library/linux-x64/bins': ['linux-x64'],
        [folder]: ['libggml-base.so', ...libraries.map((name) => `libggml-cpu-${name}.so`)],
        '/library/linux-x64-vulkan/bins': ['linux-x64-vulkan'],
        '/library/linux-x64-vulkan/bins/linux-x64-vulkan': ['libggml-cpu-sse42.so', 'libggml-cpu-zen4.so'],
      })[path] ?? [],
    architecture: 'x64',
    libraryFolder: '/library',
  });

const measured = (builtHere: boolean, prompt: number, kernels = 'sse42'): KernelMeasurement => ({
  kernels,
  builtHere,
  machine: 'a Celeron',
  measuredAt: '2026-11-29',
  command: 'npm run build:kernels',
  types: { q4_0: { prompt, decode: prompt / 2 } },
});
const file = (...all: KernelMeasurement[]) => JSON.stringify({ version: 1, measured: all });
const record = { [join(folder, 'hearth-kernels.json')]: JSON.stringify({ 'libggml-cpu-sse42.so': 'abc' }) };

describe('what is known of the kernels of a machine', () => {
  it('is what the library would take, and the table for it', () => {
    const { kernels, buildId, paces } = machine();
    expect({ kernels, buildId }).toEqual({ kernels: { name: 'sse42', isBuiltHere: false }, buildId: null });
    expect(paces!.isMeasuredHere).toBe(false);
    // The library has no fast code for most types there.
    expect(paces!.types.q4_0!.prompt).toBeGreaterThan(paces!.types.q4_k!.prompt * 1.5);
  });

  it('knows those that were built here, and which build they are', () => {
    const { kernels, buildId, paces } = machine(record);
    expect({ kernels, buildId }).toEqual({ kernels: { name: 'sse42', isBuiltHere: true }, buildId: 'abc' });
    expect(paces!.types.q4_k!.prompt).toBeGreaterThan(paces!.types.q4_0!.prompt);
  });

  it('goes by the kernels that lie there, not by the processor alone', () => {
    expect(machine({}, zen4).kernels).toEqual({ name: 'zen4', isBuiltHere: false });
    expect(machine({}, zen4, ['sse42', 'haswell']).kernels!.name).toBe('haswell');
    expect(machine(record, zen4, ['sse42']).kernels).toEqual({ name: 'sse42', isBuiltHere: true });
    // Only such as this processor does not run.
    expect(machine({}, celeron, ['haswell'])).toMatchObject({ kernels: null, paces: null });
  });

  it('takes the folder for GPUs where there is no other', () => {
    expect(machine({}, zen4, []).kernels!.name).toBe('zen4');
  });

  it('believes its own measurements more than the table, of those kernels alone', () => {
    const path = join(folder, pacesName);
    expect(machine({ [path]: file(measured(false, 7)) }).paces).toEqual({
      types: { q4_0: { prompt: 7, decode: 3.5 } },
      machine: 'a Celeron',
      measuredAt: '2026-11-29',
      isMeasuredHere: true,
    });
    for (const other of [measured(true, 7), measured(false, 7, 'haswell')]) {
      expect(machine({ [path]: file(other) }).paces!.isMeasuredHere).toBe(false);
    }
  });

  it.each([['{"version":1,"meas'], ['[]'], ['{"version":2,"measured":[]}'], ['null']])(
    'goes on without a file that is damaged or of another version: %s',
    (text) => {
      expect(machine({ [join(folder, pacesName)]: text }).paces!.isMeasuredHere).toBe(false);
    },
  );

  it('is nothing where the system does not tell, or nothing was measured of its kernels', () => {
    expect(machine({}, '')).toMatchObject({ kernels: null, paces: null });
    const kernels = { name: 'armv8.2_1', isBuiltHere: false };
    expect(toKernelPaces(kernels, [], [measured(false, 7)]).paces).toBeNull();
  });

  it('says what building brings, of figures of one machine', () => {
    const kernels = { name: 'sse42', isBuiltHere: false };
    const weights = { q4_0: 1 };
    const both = [measured(false, 10), measured(true, 30)];
    expect(toKernelPaces(kernels, [], both).gainOfBuilt(weights)).toEqual({
      prompt: 3,
      decode: 3,
      isMeasuredHere: false,
    });
    expect(toKernelPaces(kernels, [measured(true, 90)], both).gainOfBuilt(weights)!.prompt).toBe(3);
    const here = [measured(false, 10), measured(true, 20)];
    expect(toKernelPaces(kernels, here, both).gainOfBuilt(weights)).toMatchObject({ prompt: 2, isMeasuredHere: true });
    expect(toKernelPaces(kernels, [], []).gainOfBuilt(weights)).toBeNull();
  });
});

describe('the table of kernels', () => {
  const table = JSON.parse(readFileSync(new URL('../../src/machine/kernel-paces.json', import.meta.url), 'utf8')) as {
    measured: KernelMeasurement[];
  };

  it('has each kernels once, all with the same types, and says how it was measured', () => {
    const keys = table.measured.map(({ kernels, builtHere }) => `${kernels} ${builtHere}`);
    expect(new Set(keys).size).toBe(keys.length);
    const types = Object.keys(table.measured[0]!.types);
    for (const { machine: on, command, types: found } of table.measured) {
      expect(Object.keys(found)).toEqual(types);
      expect(on).not.toBe('');
      expect(command).toMatch(/^npm run measure:kernels/);
    }
  });

  it('makes a Celeron take Q4_0 in the place of Q4_K_M, until its kernels are built', () => {
    const candidate = (quantization: string, sizeBytes: number, weights: Record<string, number>) => ({
      quantization,
      sizeBytes,
      weights,
      measured: null,
    });
    // Qwen2.5 0.5B: its rows are too short for most of what Q4_K_M is made of.
    const q4km = candidate('q4_k_m', 491_400_032, { q5_0: 260, q8_0: 140, q4_k: 50, q6_k: 50 });
    const q40 = candidate('q4_0', 428_730_208, { q4_0: 360, q8_0: 136 });
    expect(createAdvice(machine().paces)(q4km, [q40])).toMatchObject({ quantization: 'q4_0' });
    const built = createAdvice(machine(record).paces);
    expect(built(q4km, [q40])).toBeNull();
  });
});
