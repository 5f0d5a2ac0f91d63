import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/core/errors.ts';
import { createPlacement } from '../../../src/engine/gpu/placement.ts';
import type { GpuSelector } from '../../../src/engine/gpu/select.ts';
import type { GpuWish } from '../../../src/machine/gpu/device.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { fakeGpu, someGpu } from '../../support/fake-gpu.ts';

const log = createLogger('silent');
const failure = (reason: string, details: Record<string, unknown> = {}) =>
  new AppError('model_load_failed', 'It went wrong.', { details: { reason, ...details } });

/** Attempts that end as told, one after the other; the last one goes on. */
function attempts(...outcomes: (Error | string)[]) {
  const devices: (number | null)[] = [];
  const reasons: (string | null)[] = [];
  return {
    devices,
    reasons,
    async attempt(device: { freeBytes: number } | null, reason: string | null): Promise<string> {
      reasons.push(reason);
      devices.push(device?.freeBytes ?? null);
      const outcome = outcomes[Math.min(devices.length, outcomes.length) - 1]!;
      if (typeof outcome === 'string') return outcome;
      throw outcome;
    },
  };
}
const free = someGpu.freeBytes;

/** A load that goes where it is sent, until it is done or there is nowhere left to try. */
async function placeModel(
  deps: { gpu: GpuSelector; log: typeof log },
  model: { id: string; wish: GpuWish },
  attempt: ReturnType<typeof attempts>['attempt'],
): Promise<string> {
  const placement = createPlacement(deps, model);
  let place = await placement.first();
  while (true) {
    try {
      return await attempt(place.device, place.device ? null : place.reason);
    } catch (error) {
      place = await placement.next(place, error);
    }
  }
}

describe('placing a model', () => {
  it('loads on the device that was chosen', async () => {
    const { devices, attempt } = attempts('loaded');
    const gpu = fakeGpu(someGpu);
    expect(await placeModel({ gpu, log }, { id: 'm', wish: 'auto' }, attempt)).toBe('loaded');
    expect([devices, gpu.told]).toEqual([[free], []]);
  });

  it.each(['crash', 'hung', 'killed', 'native_load', 'native_context', 'gpu_start', 'gpu_device'])(
    'loads once more on the CPU after %s, says why, and keeps the model there',
    async (reason) => {
      const gpu = fakeGpu(someGpu);
      const { devices, reasons, attempt } = attempts(failure(reason), 'loaded');
      const why = 'loading on Some GPU (vulkan) failed: It went wrong';
      expect(await placeModel({ gpu, log }, { id: 'm', wish: 'auto' }, attempt)).toBe('loaded');
      expect([devices, reasons, gpu.told]).toEqual([[free, null], [null, why], [`blame m: ${why}`]]);
      const later = attempts('loaded');
      await placeModel({ gpu, log }, { id: 'm', wish: 'auto' }, later.attempt);
      expect([later.devices, later.reasons]).toEqual([[null], [why]]);
    },
  );

  it('plans again with the free memory that a worker measured', async () => {
    const gpu = fakeGpu(someGpu);
    const { devices, attempt } = attempts(failure('gpu_memory', { free_bytes: 1_000 }), 'loaded');
    expect(await placeModel({ gpu, log }, { id: 'm', wish: 'auto' }, attempt)).toBe('loaded');
    expect([devices, gpu.told]).toEqual([[free, 1_000], ['free 1000']]);
  });

  it('goes to the CPU when memory is short twice, without holding it against the model', async () => {
    const gpu = fakeGpu(someGpu);
    const short = failure('gpu_memory', { free_bytes: 1_000 });
    const { devices, attempt } = attempts(short, short, 'loaded');
    await placeModel({ gpu, log }, { id: 'm', wish: 'auto' }, attempt);
    expect([devices, gpu.told]).toEqual([[free, 1_000, null], ['free 1000']]);
  });

  it.each([
    ['a failure that no other device mends', failure('timeout')],
    ['a refusal for want of memory', new AppError('insufficient_memory', 'no')],
    ['a file that is not a model', new AppError('invalid_model_file', 'no')],
  ])('passes on %s', async (_title, error) => {
    const { devices, attempt } = attempts(error);
    await expect(placeModel({ gpu: fakeGpu(someGpu), log }, { id: 'm', wish: 'auto' }, attempt)).rejects.toBe(error);
    expect(devices).toEqual([free]);
  });

  it('passes on what fails on the CPU', async () => {
    const error = failure('crash');
    const { devices, attempt } = attempts(error);
    await expect(placeModel({ gpu: fakeGpu(someGpu), log }, { id: 'm', wish: 'auto' }, attempt)).rejects.toBe(error);
    expect(devices).toEqual([free, null]);
  });
});
