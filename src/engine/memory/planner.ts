import type { GgufFacts } from '../gguf.ts';
import type { MemoryBudget } from './budget.ts';
import type { LoadShape } from './expect.ts';
import { type LoadPlan, planLoad, type Refusal } from './plan.ts';
import type { RepackRules } from './repack.ts';

/** What a plan needs to know of a model file. */
export interface PlannedFile {
  /** Key of what was measured: stays the same as long as the file does. */
  id: string;
  facts: GgufFacts;
}

/** What was asked for, and the memory that would be there beside what is free now. */
export interface PlanWish {
  contextTokens?: number;
  slots?: number;
}

/** Plans loads with the memory and the measurements of this moment. */
export interface Planner {
  /** `reclaimableBytes`: what the end of other models would free. Never throws. */
  plan(file: PlannedFile, wish: PlanWish, reclaimableBytes: number): LoadPlan | Refusal;
}

/** Hands readings of the machine to the pure plan. */
export function createPlanner(deps: {
  budget: () => MemoryBudget;
  repackRules: RepackRules;
  threadsFor: (weightBytes: number) => number;
  /** What earlier loads of this file took beyond the estimate, in bytes. */
  correctionBytes: (file: PlannedFile, shape: LoadShape) => number;
}): Planner {
  return {
    plan(file, wish, reclaimableBytes) {
      const { availableBytes, totalBytes } = deps.budget();
      return planLoad({
        facts: file.facts,
        wish: {
          ...(wish.contextTokens !== undefined && { contextTokens: wish.contextTokens }),
          ...(wish.slots !== undefined && { slots: wish.slots }),
        },
        budget: { availableBytes: Math.min(totalBytes, availableBytes + reclaimableBytes), totalBytes },
        repackRules: deps.repackRules,
        threads: deps.threadsFor(file.facts.tensorBytes),
        gpu: null,
        correctionBytes: (shape) => deps.correctionBytes(file, shape),
      });
    },
  };
}
