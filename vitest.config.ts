import { defineConfig } from 'vitest/config';

// Three projects: `unit` needs nothing but Node; `e2e` starts the real server and the real worker;
// `browser` needs Chromium and skips itself, with the reason, where there is none.
// No test has a time limit of its own meaning: the machines are shared. The generous limits only end a hung run.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/browser/**'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          // Every file loads models on the same few cores: side by side they only slow each other down.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
