import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** These compute on every core: beside others, whose threads wait for each other just so, they would take many times as long. */
const wholeMachine = ['smollm2', 'embeddings', 'gpu', 'memory-limit'].map((name) => `test/e2e/${name}.test.ts`);

/** These take minutes: begun last, each would hold up the end alone. */
const long = [
  'kernels',
  'kernels-without-avx',
  'kernels-on-arm',
  'batches',
  'tiny-models',
  'memory-estimate',
  'load-cycles',
].map((name) => `/test/e2e/${name}.test.ts`);

class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => long.some((name) => moduleId.endsWith(name));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

/** The real server and the real worker; the limits are generous and only end a hung run. */
const endToEnd = { testTimeout: 180_000, hookTimeout: 180_000, expect: { poll: { timeout: 60_000 } } };

// `unit` needs nothing but Node; `e2e` starts the real server and the real worker, `e2e-alone` one file at a time;
// `browser` needs Chromium and skips itself, with the reason, where there is none.
// No test has a time limit of its own meaning: the machines are shared.
export default defineConfig({
  test: {
    sequence: { sequencer: LongOnesFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/browser/**', 'test/clients/**'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 30_000 } },
          // No module keeps a state, so files can share a process: most of their time would go into loading it anew.
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...endToEnd,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: wholeMachine,
          // Their models are so small that each gets one thread.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...endToEnd,
          name: 'e2e-alone',
          include: wholeMachine,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 60_000 } },
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
