/** The batch loop, and what it is steered and measured by. */
export { type BatchLoop, createBatchLoop } from './loop.ts';
export { createMeasureStep, type MeasureStep } from './measure.ts';
export { createPrefillPacer } from './pacer.ts';
export { steadyPortionTokens } from './steady.ts';
export { createStepThreads, type StepThreads } from './step-threads.ts';
export { createThreadPool, parkAt } from './thread-pool.ts';
