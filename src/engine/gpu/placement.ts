import { type AppError, toAppError } from '../../core/errors.ts';
import { isDamaged } from '../../ipc/damaged.ts';
import type { GpuDevice, GpuWish } from '../../machine/gpu/device.ts';
import type { Logger } from '../../observe/logger.ts';
import type { GpuChoice, GpuSelector } from './select.ts';

/** Where one load is tried, one place after the other. */
interface Placement {
  first(): Promise<GpuChoice>;
  /** Where to try after a failure. Throws the failure when no other place can mend it. */
  next(failed: GpuChoice, failure: unknown): Promise<GpuChoice>;
}

/** Failures of a load that another device cannot mend. */
const notOfTheGpu = new Set(['timeout', 'no_binary', 'file_changed']);

/**
 * The GPU that suits the wish comes first. When less video memory is free than was thought, it is planned once more with
 * what is; when the load fails there in any other way, the CPU follows, and the model stays there until it is forgiven.
 * What fails on the CPU is final.
 */
export function createPlacement(
  deps: { gpu: Pick<GpuSelector, 'choose' | 'noteFree' | 'blame'>; log: Pick<Logger, 'warn'> },
  model: { id: string; wish: GpuWish },
): Placement {
  let replanned = false;
  const first = () => deps.gpu.choose(model.id, model.wish);
  return {
    first,
    async next({ device }, thrown) {
      const failure = toAppError(thrown);
      if (device === null || !(failure.code === 'model_load_failed' || isDamaged(failure))) throw failure;
      const reason = failure.details?.['reason'];
      if (notOfTheGpu.has(`${reason}`)) throw failure;
      const freeBytes = failure.details?.['free_bytes'];
      const isShort = reason === 'gpu_memory';
      if (isShort && typeof freeBytes === 'number' && !replanned) {
        deps.gpu.noteFree(device, freeBytes);
        replanned = true;
        return first();
      }
      const why = wordsOf(failure, device);
      // Memory that others took may come back; a driver that failed once rather fails again.
      if (!isShort) deps.gpu.blame(model.id, why);
      deps.log.warn({ model: model.id, err: failure }, `loading on the CPU: ${why}`);
      return { device: null, reason: why };
    },
  };
}

function wordsOf(failure: AppError, { backend, name }: GpuDevice): string {
  return `loading on ${name} (${backend}) failed: ${failure.message.replace(/\.$/, '')}`;
}
