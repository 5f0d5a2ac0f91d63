import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { processorName } from '../../src/machine/cpu-kernels.ts';
import { type KernelMeasurement, pacesName } from '../../src/machine/kernel-paces.ts';
import type { Pace } from './choose.ts';

/** `kernels`: path or name of the library, `libggml-cpu-sse42.so`. `command`: what measured it. */
export function toMeasurement(
  kernels: string,
  builtHere: boolean,
  types: Record<string, Pace>,
  command: string,
): KernelMeasurement {
  return {
    kernels: basename(kernels).replace(/^libggml-cpu-(.+)\.so$/, '$1'),
    builtHere,
    machine: processorName((path) => (existsSync(path) ? readFileSync(path, 'utf8') : null)) ?? 'unknown',
    measuredAt: new Date().toISOString().slice(0, 10),
    command,
    types,
  };
}

/** Keeps measurements beside the kernels in a folder, where the server reads them; older ones of the same kernels go. */
export function savePaces(folder: string, measured: readonly KernelMeasurement[]): void {
  const path = join(folder, pacesName);
  const isReplaced = (old: KernelMeasurement) =>
    measured.some(({ kernels, builtHere }) => kernels === old.kernels && builtHere === old.builtHere);
  const kept = readPaces(path).filter((old) => !isReplaced(old));
  // Whole or not at all: a server may read it now.
  writeFileSync(`${path}.part`, `${JSON.stringify({ version: 1, measured: [...kept, ...measured] })}\n`);
  renameSync(`${path}.part`, path);
}

/** What was measured, as lines: each type with the library's kernels and with ours, where both were. */
export function paceTable(measured: readonly KernelMeasurement[]): string[] {
  const [own, ours] = [false, true].map(
    (builtHere) => measured.find((one) => one.builtHere === builtHere)?.types ?? {},
  );
  const words = (pace: Pace | undefined) => (pace ? `${pace.prompt} / ${pace.decode}` : '').padEnd(14);
  return [
    `         ${'weights'.padEnd(10)}${'the library'.padEnd(14)}ours (prompts / answers, tokens/s of one thread)`,
    ...Object.keys({ ...own, ...ours }).map((type) =>
      `         ${type.padEnd(10)}${words(own![type])}${words(ours![type])}`.trimEnd(),
    ),
  ];
}

function readPaces(path: string): KernelMeasurement[] {
  if (!existsSync(path)) return [];
  try {
    const { version, measured } = JSON.parse(readFileSync(path, 'utf8')) as {
      version: number;
      measured: KernelMeasurement[];
    };
    return version === 1 ? measured : [];
  } catch {
    // It was cut off: what is measured now takes its place.
    return [];
  }
}
