import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { CpuKernels } from '../core/machine.ts';
import type { PaceGain, WeightMix } from '../core/quantization-advice.ts';
import type { ReadFile } from './cgroup.ts';
import { cpuFeatures, expectedKernels } from './cpu-kernels.ts';
import { type MeasuredPaces, paceOf } from './quantization-advice.ts';

/** Beside the kernels of the library; `scripts/kernels/folders.ts` writes both. */
const recordName = 'hearth-kernels.json';
export const pacesName = 'hearth-kernel-paces.json';

const pace = z.object({ prompt: z.number().positive(), decode: z.number().positive() });

/** One measurement of kernels: tokens per second of one thread, by the type of a model's weights. */
const measurement = z.object({
  /** The generation of processors: `sse42`. */
  kernels: z.string(),
  /** Whether they were built with our patches; else they are the library's own. */
  builtHere: z.boolean(),
  /** The processor that it was measured on. */
  machine: z.string(),
  /** ISO date. */
  measuredAt: z.iso.date(),
  /** What measured it. */
  command: z.string(),
  types: z.record(z.string(), pace),
});

export type KernelMeasurement = z.output<typeof measurement>;

/** A file of measurements: the table that comes with Hearth, or what was measured on this machine. */
const pacesFile = z.object({ version: z.literal(1), measured: z.array(measurement) });

/** What is known of the kernels of this machine without starting the library. */
export interface KernelPaces {
  /** What the library takes for this processor; null: it has none to choose from, or the system does not tell. */
  kernels: CpuKernels | null;
  /** Which build of ours they are; null: none. */
  buildId: string | null;
  /** What they were measured at, here if they were, else on another machine; null: nowhere. */
  paces: (MeasuredPaces & Pick<KernelMeasurement, 'machine' | 'measuredAt'>) | null;
  /** How often as fast as the library's own kernels those with our patches are for a mix of weights; null: not measured. */
  gainOfBuilt(weights: WeightMix): PaceGain | null;
}

/** Measurements of other machines that come with Hearth. */
const table = new URL('./kernel-paces.json', import.meta.url);

/**
 * Reads what is known of the kernels that run here. `libraryFolder`: where the packages of the library's binaries lie;
 * `kernels`: those that it has loaded, where it has; left out: those that it would take.
 */
export function readKernelPaces(deps: {
  readFile: ReadFile;
  list: (folder: string) => string[];
  architecture: string;
  libraryFolder: string;
  kernels?: CpuKernels | null;
}): KernelPaces {
  const { readFile } = deps;
  const folders = binaryFolders(deps);
  const record = Object.assign({}, ...folders.map((folder) => parsed(readFile(join(folder, recordName)))));
  const kernels = deps.kernels === undefined ? kernelsHere(deps, folders, record) : deps.kernels;
  const here = folders.flatMap((folder) => measurementsOf(readFile(join(folder, pacesName))));
  const buildId = kernels?.isBuiltHere ? String(record[fileNameOf(kernels.name)] ?? '') : null;
  return { ...toKernelPaces(kernels, here, measurementsOf(readFileSync(table, 'utf8'))), buildId };
}

/** `here`: measurements of this machine, which come before those of others. Pure. */
export function toKernelPaces(
  kernels: CpuKernels | null,
  here: readonly KernelMeasurement[],
  others: readonly KernelMeasurement[],
): Omit<KernelPaces, 'buildId'> {
  const find = (from: readonly KernelMeasurement[], builtHere: boolean) =>
    from.find((one) => one.kernels === kernels?.name && one.builtHere === builtHere) ?? null;
  const measured = (builtHere: boolean): KernelPaces['paces'] => {
    const own = find(here, builtHere);
    const found = own ?? find(others, builtHere);
    if (found === null) return null;
    const { types, machine, measuredAt } = found;
    return { types, machine, measuredAt, isMeasuredHere: own !== null };
  };
  return {
    kernels,
    paces: kernels && measured(kernels.isBuiltHere),
    gainOfBuilt(weights) {
      // Figures of two machines do not compare.
      for (const [from, isMeasuredHere] of [[here, true] as const, [others, false] as const]) {
        const [own, built] = [find(from, false), find(from, true)];
        const before = own && paceOf(weights, own.types);
        const after = built && paceOf(weights, built.types);
        if (before && after) {
          return { prompt: after.prompt / before.prompt, decode: after.decode / before.decode, isMeasuredHere };
        }
      }
      return null;
    },
  };
}

const fileNameOf = (kernels: string) => `libggml-cpu-${kernels}.so`;

/** What the library would take: the best that this processor runs, of what lies in its folder. */
function kernelsHere(
  deps: { readFile: ReadFile; list: (folder: string) => string[]; architecture: string },
  folders: readonly string[],
  record: Readonly<Record<string, unknown>>,
): CpuKernels | null {
  const has = cpuFeatures(deps.readFile);
  // Kernels that were taken out of a folder are not loaded, whatever the processor is.
  const there = folders.map((folder) => kernelsIn(deps.list(folder))).find((names) => names.size > 0);
  const name = has && there ? expectedKernels(deps.architecture, has, there) : null;
  return name === null ? null : { name, isBuiltHere: fileNameOf(name) in record };
}

/** Names of kernels among files: `haswell` of `libggml-cpu-haswell.so`. */
const kernelsIn = (files: readonly string[]): ReadonlySet<string> =>
  new Set(files.flatMap((file) => /^libggml-cpu-(.+)\.so$/.exec(file)?.[1] ?? []));

/** The names in a folder; none where there is no such folder. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Another system, or the library is not installed.
    return [];
  }
}

/** The library's folders for this kind of processor; that without a GPU, where it is installed, comes first. */
function binaryFolders({ list, architecture, libraryFolder }: Parameters<typeof readKernelPaces>[0]): string[] {
  const kind = `linux-${architecture}`;
  return list(libraryFolder)
    .filter((name) => name === kind || name.startsWith(`${kind}-`))
    .toSorted()
    .map((name) => join(libraryFolder, name, 'bins'))
    .flatMap((bins) => list(bins).map((name) => join(bins, name)));
}

/** What a file says; nothing where it is not there, or was written by another version. */
function measurementsOf(text: string | null): KernelMeasurement[] {
  const file = pacesFile.safeParse(parsed(text));
  return file.success ? file.data.measured : [];
}

function parsed(text: string | null): object | null {
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    // A file that was cut off says nothing.
    return null;
  }
}
