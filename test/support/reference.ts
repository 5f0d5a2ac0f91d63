import { existsSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * The folder with templates and vocabularies of other model families that HEARTH_TEST_REFERENCE names, or why there is
 * none: `const reference = referenceModels(); describe.skipIf('skip' in reference)(…)`.
 */
export function referenceModels(): { folder: string } | { skip: string } {
  const named = process.env['HEARTH_TEST_REFERENCE'];
  if (!named) return { skip: 'HEARTH_TEST_REFERENCE is not set' };
  const folder = resolve(named);
  return existsSync(resolve(folder, 'templates')) ? { folder } : { skip: `${named} has no folder "templates"` };
}
