import { type AppError, toAppError } from '../../core/errors.ts';
import type { GpuDevice, GpuWish } from '../../machine/gpu/device.ts';
import type { Logger } from '../../observe/logger.ts';
import type { GpuSelector } from './select.ts';

/** Failures of a load that another device cannot mend. */
const notOfTheGpu = new Set(['timeout', 'no_binary']);

/**
 * Loads a model on the GPU that suits the wish. When less video memory is free than was thought, it is planned once
 * more with what is; when the load fails there in any other way, it is done once more on the CPU, and the model stays
 * there until it is forgiven. `attempt` gets the device, or null for the CPU and why, if there is a why; what it rejects
 * with on the CPU is final.
 */
export async function placeModel<Result>(
  deps: { gpu: GpuSelector; log: Logger },
  model: { id: string; wish: GpuWish },
  attempt: (device: GpuDevice | null, reason: string | null) => Promise<Result>,
): Promise<Result> {
  let replanned = false;
  while (true) {
    const choice = await deps.gpu.choose(model.id, model.wish);
    if (choice.device === null) return attempt(null, choice.reason);
    try {
      return await attempt(choice.device, null);
    } catch (error) {
      const failure = toAppError(error);
      const freeBytes = failure.details?.['free_bytes'];
      if (failure.code !== 'model_load_failed' || notOfTheGpu.has(`${failure.details?.['reason']}`)) throw error;
      const isShort = failure.details?.['reason'] === 'gpu_memory';
      if (isShort && typeof freeBytes === 'number' && !replanned) {
        deps.gpu.noteFree(choice.device, freeBytes);
        replanned = true;
        continue;
      }
      const reason = reasonOf(failure, choice.device);
      // Memory that others took may come back; a driver that failed once rather fails again.
      if (!isShort) deps.gpu.blame(model.id, reason);
      deps.log.warn({ model: model.id, err: failure }, `loading on the CPU: ${reason}`);
      return attempt(null, reason);
    }
  }
}

function reasonOf(failure: AppError, { backend, name }: GpuDevice): string {
  return `loading on ${name} (${backend}) failed: ${failure.message.replace(/\.$/, '')}`;
}
