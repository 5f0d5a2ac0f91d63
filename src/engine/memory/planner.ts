import type { KvType } from '../../core/plan.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import type { MemoryBudget } from '../../machine/memory-budget.ts';
import type { GgufFacts } from '../../store/gguf/gguf.ts';
import type { LoadShape } from './expect.ts';
import { type LoadOutcome, planLoad } from './plan.ts';
import type { RepackRules } from './repack.ts';

/** What a plan needs to know of a model file. */
export interface PlannedFile {
  /** Key of what was measured: stays the same as long as the file does. */
  id: string;
  facts: GgufFacts;
}

/** What was asked for; what is left out is for the plan to choose. */
interface PlanWish {
  contextTokens?: number;
  slots?: number;
  kvType?: KvType;
  /** Plan it also where it does not fit. */
  force?: boolean;
}

/** Plans loads with the memory and the measurements of this moment. */
export interface Planner {
  /**
   * `reclaimableBytes`: what the end of other models would free; `device`: the GPU for the layers that fit there, with
   * its free memory, left out or null for the CPU alone. Never throws.
   */
  plan(file: PlannedFile, wish: PlanWish, reclaimableBytes: number, device?: GpuDevice | null): LoadOutcome;
  /** The same with the memory of this moment for every plan: for many plans that are shown together. */
  snapshot(): Planner & { budget: MemoryBudget };
}

/** A file that is not here has no measurements, and everything that is loaded could make room for it. */
export function planForPull(planner: Pick<Planner, 'plan'>, facts: GgufFacts): LoadOutcome {
  return planner.plan({ id: '', facts }, {}, Number.POSITIVE_INFINITY);
}

/** Hands readings of the machine to the pure plan. */
export function createPlanner(deps: PlannerDeps): Planner {
  return {
    plan: (file, wish, reclaimableBytes, device = null) =>
      planWith(deps, deps.budget(), file, wish, reclaimableBytes, device),
    snapshot() {
      const budget = deps.budget();
      const frozen: Planner & { budget: MemoryBudget } = {
        budget,
        plan: (file, wish, reclaimableBytes, device = null) =>
          planWith(deps, budget, file, wish, reclaimableBytes, device),
        snapshot: () => frozen,
      };
      return frozen;
    },
  };
}

interface PlannerDeps {
  budget: () => MemoryBudget;
  repackRules: RepackRules;
  threadsFor: (weightBytes: number) => number;
  /** What earlier loads of this file took beyond the estimate, in bytes. */
  correctionBytes: (file: PlannedFile, shape: LoadShape) => number;
}

function planWith(
  deps: PlannerDeps,
  { availableBytes, totalBytes, reserveBytes, source }: MemoryBudget,
  file: PlannedFile,
  wish: PlanWish,
  reclaimableBytes: number,
  device: GpuDevice | null,
): LoadOutcome {
  return planLoad({
    facts: file.facts,
    wish: {
      ...(wish.contextTokens !== undefined && { contextTokens: wish.contextTokens }),
      ...(wish.slots !== undefined && { slots: wish.slots }),
      ...(wish.kvType !== undefined && { kvType: wish.kvType }),
      ...(wish.force && { force: true }),
    },
    budget: {
      availableBytes: Math.min(totalBytes, availableBytes + reclaimableBytes),
      totalBytes,
      kept: { reserveBytes, limitBytes: source === 'config' ? totalBytes + reserveBytes : null },
    },
    repackRules: deps.repackRules,
    threads: deps.threadsFor(file.facts.tensorBytes),
    gpu: device,
    correctionBytes: (shape) => deps.correctionBytes(file, shape),
  });
}
