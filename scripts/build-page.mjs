// Builds the page at /ui, at the end of `npm ci`, where all that it takes is there: not in an installation without
// development packages, and not in the first step of the container, which has no sources yet. A page that cannot be built
// ends no installation: everything else works without it, and /ui says what to do.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../ui', import.meta.url));

/** @returns {Promise<string | null>} Why it was not built; null: it was, or there is nothing to build. */
async function build() {
  if (!existsSync(`${folder}/index.html`)) return null;
  try {
    const vite = await import('vite');
    await vite.build({ root: folder, logLevel: 'warn' });
    return null;
  } catch (error) {
    if (error?.code === 'ERR_MODULE_NOT_FOUND') return 'the development packages are not installed';
    return error instanceof Error ? error.message : String(error);
  }
}

const failure = await build();
if (failure !== null) console.warn(`The page at /ui is not built (${failure}); npm run build:ui builds it.`);
