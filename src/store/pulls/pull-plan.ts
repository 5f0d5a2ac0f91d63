import { AppError } from '../../core/errors.ts';
import { gigabytes } from '../../core/format-units.ts';
import type { FitOutcome } from '../../core/plan.ts';
import type { PullPlan } from '../../core/pull.ts';

/**
 * Says what a model will need. `outcome`: the plan over all memory that the server may use, so a refusal means never,
 * not only now. Throws `insufficient_memory` with the numbers for that, unless `force`.
 */
export function planPull(
  outcome: FitOutcome,
  budget: { totalBytes: number },
  wish: { model: string; force: boolean },
): PullPlan {
  if (outcome.type === 'plan') {
    const { contextTokens, slots, expectedBytes } = outcome;
    const places = slots === 1 ? 'one request' : `${slots} requests`;
    return {
      fits: true,
      neededBytes: expectedBytes.total,
      availableBytes: budget.totalBytes,
      message: `Fits: ${gigabytes(expectedBytes.total)} of ${gigabytes(budget.totalBytes)}, with ${contextTokens} tokens for ${places} at a time.`,
    };
  }
  const plan = {
    fits: false,
    neededBytes: outcome.neededBytes,
    availableBytes: budget.totalBytes,
    message: `Does not fit: ${outcome.message}`,
  };
  if (wish.force) return plan;
  throw new AppError('insufficient_memory', `${wish.model} can never be loaded here: ${outcome.message}`, {
    fix: 'Choose a smaller model or quantization, or pull it anyway with force.',
    details: {
      needed_bytes: outcome.neededBytes,
      available_bytes: budget.totalBytes,
      shortfall_bytes: outcome.neededBytes - budget.totalBytes,
    },
  });
}
