import { spawnSync } from 'node:child_process';

/** What the trial found. */
export interface EngineTrial {
  /** Rows whose logits were compared. */
  rows: number;
  /** How many of them were others than alone, with words about the first; null when none was. */
  problem: string | null;
}

/**
 * Tries whether what a model computes for a token depends on its neighbours, on portions, kept states, guesses or threads, with
 * the program that `compileEngineTrial` made and the library and kernels in `folder`. `options` are the program's. Throws when it
 * does not run.
 */
export function tryEngine(
  program: string,
  folder: string,
  model: string,
  options: readonly string[] = [],
): EngineTrial {
  const { status, signal, error, stdout, stderr } = spawnSync(program, [folder, model, ...options], {
    encoding: 'utf8',
  });
  const [, different, rows] = /^(?:different (\d+) of|equal) (\d+)/m.exec(stdout ?? '') ?? [];
  if (rows === undefined) {
    throw new Error(
      `the trial ended with ${error?.message ?? signal ?? status}\n${stdout ?? ''}${stderr ?? ''}`.trim(),
    );
  }
  return { rows: Number(rows), problem: different === undefined ? null : stdout.trim() };
}
