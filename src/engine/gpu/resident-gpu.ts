import type { GpuDevice, GpuWish } from '../../machine/gpu/device.ts';
import type { LoadPlan } from '../memory/memory.ts';
import type { GpuChoice } from './select.ts';

/** What of a loaded model is on a GPU; without a device all is on the CPU, and `reason` says why if there is a why. */
export interface ResidentGpu {
  device: GpuDevice | null;
  layers: number;
  /** Video memory as planned. */
  bytes: number;
  reason: string | null;
}

export function onCpu(reason: string | null): ResidentGpu {
  return { device: null, layers: 0, bytes: 0, reason };
}

/** What a model will have of the place that was chosen for it, by its plan. */
export function residentGpu(plan: Pick<LoadPlan, 'gpuLayers' | 'gpuBytes'>, choice: GpuChoice): ResidentGpu {
  const { device } = choice;
  if (device === null) return onCpu(choice.reason);
  if (plan.gpuLayers === 0) return onCpu(`${device.name} has no room for a layer of this model`);
  return { device, layers: plan.gpuLayers, bytes: plan.gpuBytes, reason: null };
}

/** Whether what a model has of a GPU is what a wish would give it. */
export function suits({ device }: ResidentGpu, wish: GpuWish): boolean {
  if (wish === 'off') return device === null;
  return device !== null && (wish === 'auto' || wish === 'prefer' || wish === device.backend);
}
