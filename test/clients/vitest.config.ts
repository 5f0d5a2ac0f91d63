import { defineConfig } from 'vitest/config';

/** Other people's clients against the real server: their packages lie in this folder, with a lock file of their own. */
export default defineConfig({
  test: {
    name: 'clients',
    root: import.meta.dirname,
    include: ['*.test.ts'],
    // All ask the same small machine.
    fileParallelism: false,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
