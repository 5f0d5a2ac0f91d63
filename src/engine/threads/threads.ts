import type { Clock } from '../../core/clock.ts';
import type { ReadFile } from '../../machine/cgroup.ts';
import type { Logger } from '../../observe/logger.ts';
import { createThreadArbiter, type ThreadArbiter } from './arbiter.ts';
import { type ContentionWatch, createContentionWatch } from './contention.ts';

export type { ThreadArbiter, ThreadShare } from './arbiter.ts';
export type { ContentionWatch } from './contention.ts';
export { foreignWaitingShare } from './limit.ts';

/** Divides the threads among the models that decode: all of them, or as many as others leave. */
export function createThreads(deps: { threads: number; readFile: ReadFile; clock: Clock; log: Logger }): {
  arbiter: ThreadArbiter;
  contention: ContentionWatch;
} {
  const arbiter = createThreadArbiter(deps.threads);
  const contention = createContentionWatch({
    readFile: deps.readFile,
    clock: deps.clock,
    cores: deps.threads,
    onLimit(limit, reason) {
      deps.log.info({ threads: limit, reason }, 'decoding threads changed');
      arbiter.setCores(limit);
    },
  });
  return { arbiter, contention };
}
