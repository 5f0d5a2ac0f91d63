import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { repositoryRoot } from './server.ts';

/** Folder with the built-in model, absolute. */
export const builtInModels = join(repositoryRoot, 'models');

/** Name of the built-in model as clients write it. */
export const builtInModel = 'hearth-guide-3m';

/** Files that most tests with real weights need, in the folder that HEARTH_TEST_MODELS names. */
const chatModel = ['smollm2-135m-instruct-q4_1.gguf', 'smollm2-135m-instruct-q4_1.expected.json'];

/**
 * The folder with real models and their reference answers, or why there is none:
 * `const real = realModels(); describe.skipIf('skip' in real)(…)`.
 */
export function realModels(needed: readonly string[] = chatModel): { folder: string } | { skip: string } {
  const named = process.env['HEARTH_TEST_MODELS'];
  if (!named) return { skip: 'HEARTH_TEST_MODELS is not set' };
  const folder = resolve(named);
  const missing = needed.filter((file) => !existsSync(join(folder, file)));
  return missing.length === 0 ? { folder } : { skip: `HEARTH_TEST_MODELS has no ${missing.join(', ')}` };
}
