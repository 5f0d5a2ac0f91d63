import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/server.ts';

const run = promisify(execFile);

/** Builds the page from its sources as they are now; `outFolder`: left out: where the server looks for it. */
export async function buildPage(outFolder = join(repositoryRoot, 'ui/dist')): Promise<void> {
  const vite = join(repositoryRoot, 'node_modules/vite/bin/vite.js');
  const args = [
    vite,
    'build',
    join(repositoryRoot, 'ui'),
    '--outDir',
    outFolder,
    '--emptyOutDir',
    '--logLevel',
    'warn',
  ];
  // The test runner's own mode would leave checks for developers in it.
  await run(process.execPath, args, { env: { ...process.env, NODE_ENV: 'production' } });
}
