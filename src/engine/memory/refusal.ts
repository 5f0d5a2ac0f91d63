import { AppError } from '../../core/errors.ts';
import type { LoadRefusal } from './plan.ts';

/** The error of a load that can never fit, with every number in bytes. */
export function refusalError(model: string, refusal: LoadRefusal): AppError {
  return new AppError('insufficient_memory', `${model}: ${refusal.message}`, {
    details: {
      needed_bytes: refusal.neededBytes,
      available_bytes: refusal.availableBytes,
      shortfall_bytes: refusal.shortfallBytes,
      ...(refusal.nearest && {
        nearest: {
          context_length: refusal.nearest.contextTokens,
          parallel: refusal.nearest.slots,
          needed_bytes: refusal.nearest.neededBytes,
        },
      }),
    },
  });
}
