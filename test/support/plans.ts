import type { ExpectedMemory } from '../../src/core/plan.ts';
import type { LoadPlan } from '../../src/engine/memory/plan.ts';

/** A plan in which only what a test names matters. */
export function anyPlan(changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    type: 'plan',
    contextTokens: 512,
    slots: 1,
    batchTokens: 128,
    useMmap: true,
    kvType: 'f16',
    flashAttention: true,
    threads: 1,
    gpuLayers: 0,
    gpuBytes: 0,
    expectedBytes: anyExpectedBytes(0),
    reduced: [],
    notes: [],
    ...changes,
  };
}

/** `totalBytes`, all of it weights. */
export function anyExpectedBytes(totalBytes: number): ExpectedMemory {
  return {
    mappedWeights: 0,
    weights: totalBytes,
    repackedWeights: 0,
    kvCache: 0,
    compute: 0,
    vocabulary: 0,
    process: 0,
    correction: 0,
    atLoad: totalBytes,
    total: totalBytes,
  };
}
