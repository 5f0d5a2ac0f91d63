import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { importsOf } from '../support/imports.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
const below = (file: string, folder: string) => file === folder || file.startsWith(`${folder}/`);
const kept = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
const leftOut = lines.filter((line) => /^[a-z][\w/-]*$/i.test(line));

/** Every file of ours that some files need at run time, themselves too; names are relative to the project's folder. */
function reachedFrom(files: readonly string[]): string[] {
  const reached = new Set(files);
  for (const file of reached) {
    for (const { specifier, typeOnly } of importsOf(readFileSync(join(root, file), 'utf8'))) {
      if (specifier.startsWith('.') && !typeOnly) reached.add(join(dirname(file), specifier));
    }
  }
  return [...reached].filter((file) => existsSync(join(root, file)));
}

it('what builds the kernels of an image goes to its build', () => {
  const kernels = readdirSync(join(root, 'scripts/kernels')).filter((name) => name.endsWith('.ts'));
  const reached = reachedFrom(kernels.map((name) => relative(root, join(root, 'scripts/kernels', name))));
  expect(reached.length).toBeGreaterThan(kernels.length);
  const missing = reached.filter(
    (file) => !kept.some((folder) => below(file, folder)) || leftOut.some((folder) => below(file, folder)),
  );
  expect(missing).toEqual([]);
});
