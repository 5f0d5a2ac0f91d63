import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withoutComments } from '../support/imports.ts';
import { repositoryRoot } from '../support/server.ts';

it('messages of commands and of the doctor name other commands by sayCommand, as they are typed where they appear', () => {
  const files = ['src/cli/**/*.ts', 'src/doctor/*.ts'].flatMap((pattern) => globSync(pattern, { cwd: repositoryRoot }));
  expect(files.length).toBeGreaterThan(60);
  const named = files
    // What a shell completes is called by that name.
    .filter((file) => !file.endsWith('completion-scripts.ts'))
    .filter((file) => /["'`]hearth [a-z]/.test(withoutComments(readFileSync(join(repositoryRoot, file), 'utf8'))));
  expect(named).toEqual([]);
});
