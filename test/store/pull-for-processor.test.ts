import { afterEach, expect, it } from 'vitest';
import { type KernelPaces, readKernelPaces } from '../../src/machine/kernel-paces.ts';
import { createAdvice } from '../../src/machine/quantization-advice.ts';
import { fakeRepository, startFakeHub } from '../support/fake-hub.ts';
import { tinyGguf, tinyTensors } from '../support/gguf-writer.ts';
import { never, testStore } from '../support/test-store.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

/** Number of a type in GGUF, and the bytes of 256 weights. */
const typeOf = { q4_0: [2, 144], q8_0: [8, 272], q4_k: [12, 144], q6_k: [14, 210] } as const;

/** A model whose weights are of these types, in 2,560 of each. */
function modelOf(mix: Partial<Record<keyof typeof typeOf, number>>): Buffer {
  const tensors = Object.entries(mix).map(([label, rows]) => {
    const [type, rowBytes] = typeOf[label as keyof typeof typeOf];
    return { name: `blk.0.${label}.weight`, dimensions: [256, rows * 10], type, bytes: rows * 10 * rowBytes };
  });
  return tinyGguf({}, { tensors: [...tinyTensors, ...tensors] });
}

// As most models have them; the output is in Q6_K in both.
const files = [
  { path: 'tiny-q4_k_m.gguf', bytes: modelOf({ q4_k: 410, q6_k: 84 }) },
  { path: 'tiny-q4_0.gguf', bytes: modelOf({ q4_0: 410, q6_k: 84 }) },
  { path: 'tiny-q8_0.gguf', bytes: modelOf({ q8_0: 494 }) },
];
const entry = {
  name: 'qwen2.5-0.5b',
  repository: fakeRepository,
  variants: [{ quantization: 'q4_k_m', files: [{ path: 'tiny-q4_k_m.gguf' }] }],
};

const folder = '/library/linux-x64/bins/linux-x64';
function celeron(builtKernels: boolean): KernelPaces {
  return readKernelPaces({
    readFile: (path) => {
      if (path === '/proc/cpuinfo') return 'model name\t: Intel(R) Celeron(R) J4125 CPU\nflags\t\t: ssse3 sse4_2\n';
      return builtKernels && path === `${folder}/hearth-kernels.json` ? '{"libggml-cpu-sse42.so":"abc"}' : null;
    },
    list: (path) =>
      ({
        '/library': ['linux-x64'],
        '/library/linux-x64/bins': ['linux-x64'],
        [folder]: ['libggml-cpu-sse42.so', 'libggml-cpu-haswell.so'],
      })[path] ?? [],
    architecture: 'x64',
    libraryFolder: '/library',
  });
}

it.each([
  [
    "the library's kernels",
    false,
    'q4_0',
    /^auto chose q4_0: Q4_K_M reads prompts at 0\.\d+ of Q4_0's speed on this pro/,
  ],
  ['kernels that were built there', true, 'q4_k_m', null],
])(
  'a Celeron without AVX and %s asks for a model with auto, and gets the file that is fastest there',
  async (_what, builtKernels, quantization, note) => {
    const hub = await startFakeHub(files);
    const { paces } = celeron(builtKernels);
    const test = await testStore(hub, {
      deps: {
        pullCatalog: { models: [], find: (name) => (name === entry.name ? (entry as never) : null) },
        advise: createAdvice(paces),
      },
    });
    open.push(hub, test);
    const pull = await test.store.pull({ name: 'qwen2.5:0.5b', quantization: 'auto' }, never);
    expect(pull.quantization).toBe(quantization);
    expect(pull.notes).toEqual(note === null ? [] : [expect.stringMatching(note)]);
  },
);
