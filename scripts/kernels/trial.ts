import { spawnSync } from 'node:child_process';

/** Ends with this where the kernels are for another processor. */
const otherProcessor = 3;

/**
 * Tries products and attention of kernels (a path) against sums in double precision, with the program that was built beside
 * them. Returns what is wrong, in words; null when nothing is; `other-processor` when they cannot run here.
 * `emulator`: words of a command that runs the program, such as `qemu-x86_64 -cpu Nehalem`. `options`: of the program.
 */
export function tryKernels(
  program: string,
  kernels: string,
  { emulator = [], options = [] }: { emulator?: readonly string[]; options?: readonly string[] } = {},
): string | null | 'other-processor' {
  const [command, ...args] = [...emulator, program, kernels, ...options] as [string, ...string[]];
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return null;
  if (status === otherProcessor) return 'other-processor';
  const said = `${stdout ?? ''}\n${stderr ?? ''}`.split('\n').filter((line) => line !== '');
  const wrong = said.filter((line) => line.startsWith('wrong '));
  const why = error ? error.message : `the trial ended with ${signal ?? status}`;
  return [why, ...(wrong.length > 0 ? wrong : said).slice(0, 10)].join('\n');
}
