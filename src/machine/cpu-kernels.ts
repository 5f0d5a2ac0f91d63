import type { Clock } from '../core/clock.ts';
import type { CpuKernels } from '../core/machine.ts';
import type { ReadFile } from './cgroup.ts';
import type { ForkProbe } from './gpu/probe.ts';

/** A cold start of the library from a slow disk. */
const probeMs = 60_000;

/** What starting the library gave; `kernels` null: it has none to choose from here. */
export type KernelProbe = { kernels: CpuKernels | null } | { reason: string };

/** Starts the library on the processor alone, in a process of its own, and tells what it took. Resolves when that is gone. */
export function probeCpuKernels(deps: { fork: ForkProbe; clock: Pick<Clock, 'after'> }): Promise<KernelProbe> {
  return new Promise((resolve) => {
    const worker = deps.fork({});
    let outcome: KernelProbe | null = null;
    const end = (result: KernelProbe) => {
      outcome ??= result;
      worker.kill('SIGKILL');
    };
    const timeout = deps.clock.after(probeMs, () => end({ reason: `it did not start within ${probeMs / 1_000} s` }));
    worker.onMessage((message) => {
      if (message.type === 'load-failed') end({ reason: message.error.message });
      if (message.type === 'probed') end({ kernels: message.report.kernels ?? null });
    });
    worker.onExit(({ code, signal }) => {
      timeout.cancel();
      resolve(outcome ?? { reason: `its process ended at once (${signal ?? `exit code ${code}`})` });
    });
    worker.send({ type: 'probe', backend: null });
  });
}

/** A property of processors that kernels are made for: how people call it, and the flags of `/proc/cpuinfo` that say it. */
const features = {
  'SSE 4.2': ['sse4_2'],
  AVX: ['avx'],
  F16C: ['f16c'],
  FMA: ['fma'],
  BMI2: ['bmi2'],
  AVX2: ['avx2'],
  'AVX-VNNI': ['avx_vnni'],
  'AVX-512': ['avx512f', 'avx512cd', 'avx512vl', 'avx512dq', 'avx512bw'],
  'AVX-512 VBMI': ['avx512vbmi'],
  'AVX-512 BF16': ['avx512_bf16'],
  'AVX-512 VNNI': ['avx512_vnni'],
  AMX: ['amx_int8'],
  'dot product': ['asimddp'],
  'half floats': ['asimdhp'],
  SVE: ['sve'],
  'matrix products': ['i8mm'],
  SVE2: ['sve2'],
  SME: ['sme'],
} as const satisfies Record<string, readonly string[]>;

export type CpuFeature = keyof typeof features;

const withAvx2: readonly CpuFeature[] = ['SSE 4.2', 'AVX', 'F16C', 'FMA', 'AVX2', 'BMI2'];
const withAvx512: readonly CpuFeature[] = [...withAvx2, 'AVX-512'];
const withHalfFloats: readonly CpuFeature[] = ['dot product', 'half floats'];

/** Which the library brings, and what each needs. Source: ggml/src/CMakeLists.txt of llama.cpp. */
const kernelsOf: Readonly<Record<string, Readonly<Record<string, readonly CpuFeature[]>>>> = {
  x64: {
    x64: [],
    sse42: ['SSE 4.2'],
    sandybridge: ['SSE 4.2', 'AVX'],
    ivybridge: ['SSE 4.2', 'AVX', 'F16C'],
    piledriver: ['SSE 4.2', 'AVX', 'F16C', 'FMA'],
    haswell: withAvx2,
    alderlake: [...withAvx2, 'AVX-VNNI'],
    skylakex: withAvx512,
    cannonlake: [...withAvx512, 'AVX-512 VBMI'],
    cascadelake: [...withAvx512, 'AVX-512 VNNI'],
    icelake: [...withAvx512, 'AVX-512 VBMI', 'AVX-512 VNNI'],
    cooperlake: [...withAvx512, 'AVX-512 VNNI', 'AVX-512 BF16'],
    zen4: [...withAvx512, 'AVX-512 VBMI', 'AVX-512 VNNI', 'AVX-512 BF16'],
    sapphirerapids: [...withAvx512, 'AVX-512 VBMI', 'AVX-512 VNNI', 'AVX-512 BF16', 'AMX'],
  },
  arm64: {
    'armv8.0_1': [],
    'armv8.2_1': ['dot product'],
    'armv8.2_2': withHalfFloats,
    'armv8.2_3': [...withHalfFloats, 'SVE'],
    'armv8.6_1': [...withHalfFloats, 'SVE', 'matrix products'],
    'armv8.6_2': [...withHalfFloats, 'SVE', 'matrix products', 'SVE2'],
    'armv9.2_1': [...withHalfFloats, 'SVE', 'matrix products', 'SME'],
    'armv9.2_2': [...withHalfFloats, 'SVE', 'matrix products', 'SVE2', 'SME'],
  },
};

/** How much each counts when the library chooses: a later one more than all before. Source: cpu-feats.cpp of llama.cpp. */
const byWeight: readonly CpuFeature[] = [
  ...['FMA', 'F16C', 'SSE 4.2', 'BMI2', 'AVX', 'AVX2', 'AVX-VNNI', 'AVX-512', 'AVX-512 VBMI', 'AVX-512 BF16'],
  ...['AVX-512 VNNI', 'AMX', 'dot product', 'half floats', 'SVE', 'matrix products', 'SVE2', 'SME'],
] as CpuFeature[];

/** Name of the processor as the kernel tells it; null: it does not. */
export function processorName(readFile: ReadFile): string | null {
  return /^(?:model name|Model|Hardware)\s*:\s*(\S.*?)\s*$/m.exec(readFile('/proc/cpuinfo') ?? '')?.[1] ?? null;
}

/** What the processor can do of what kernels need; null: the kernel does not tell. */
export function cpuFeatures(readFile: ReadFile): ReadonlySet<CpuFeature> | null {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(readFile('/proc/cpuinfo') ?? '')?.[1];
  if (line === undefined) return null;
  const flags = new Set(line.trim().split(/\s+/));
  const has = ([, needed]: [string, readonly string[]]) => needed.every((flag) => flags.has(flag));
  return new Set(
    Object.entries(features)
      .filter(has)
      .map(([name]) => name as CpuFeature),
  );
}

/**
 * The kernels that the library takes for such a processor, of those that are `there` (left out: all that it brings); null: it has
 * none to choose from.
 */
export function expectedKernels(
  architecture: string,
  has: ReadonlySet<CpuFeature>,
  there?: ReadonlySet<string>,
): string | null {
  const weightOf = (needed: readonly CpuFeature[]) =>
    needed.reduce((sum, feature) => sum + 2 ** byWeight.indexOf(feature), 0);
  const [best] = Object.entries(kernelsOf[architecture] ?? {})
    .filter(([name, needed]) => (there?.has(name) ?? true) && needed.every((feature) => has.has(feature)))
    .toSorted(([, left], [, right]) => weightOf(right) - weightOf(left));
  return best?.[0] ?? null;
}

/** What any kernels of that architecture can use and this processor has not, the most helpful first. */
export function lackingFeatures(architecture: string, has: ReadonlySet<CpuFeature>): CpuFeature[] {
  const all = new Set(Object.values(kernelsOf[architecture] ?? {}).flat());
  return byWeight.filter((feature) => all.has(feature) && !has.has(feature));
}
