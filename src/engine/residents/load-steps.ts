import type { Clock } from '../../core/clock.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import type { Logger } from '../../observe/logger.ts';
import { purposeOf } from '../../store/gguf/gguf.ts';
import { type Calibrator, calibratedBatch } from '../calibration/calibration.ts';
import { createPlacement, type GpuChoice, type GpuSelector, type ResidentGpu, residentGpu } from '../gpu/gpu.ts';
import { type LoadOutcome, type LoadPlan, refusalError } from '../memory/memory.ts';
import type { Launched, Launcher } from './launcher.ts';
import type { LoadQueue } from './load-queue.ts';
import type { LoadSettings, ModelRef } from './model-ref.ts';

/** How far a load has come. */
export type LoadStep =
  | { phase: 'waiting-for-memory' }
  | { phase: 'starting'; plan: LoadPlan }
  /** The memory that was granted is given back when the next step is asked for; by then the model has to count itself. */
  | { phase: 'loaded'; launched: Launched; plan: LoadPlan; gpu: ResidentGpu; loadMs: number };

export interface LoadDeps {
  launcher: Launcher;
  loadQueue: Pick<LoadQueue, 'enter'>;
  gpu: Pick<GpuSelector, 'choose' | 'freeBytes' | 'noteFree' | 'blame'>;
  memory: {
    /** Decides with the memory of this moment; `reclaimableBytes` is what ending idle models would free. */
    plan(ref: ModelRef, settings: LoadSettings, reclaimableBytes: number, device: GpuDevice | null): LoadOutcome;
  };
  /** Left out: models are not calibrated. */
  calibrator?: Pick<Calibrator, 'begin'> | null;
  clock: Clock;
  log: Logger;
}

/** Loads a model: from place to place, until one takes it or the failure is final, which is thrown. */
export async function* loadSteps(
  deps: LoadDeps,
  ref: ModelRef,
  settings: LoadSettings,
): AsyncGenerator<LoadStep, void, void> {
  const placement = createPlacement(deps, { id: ref.id, wish: settings.gpu });
  let place = await placement.first();
  while (true) {
    try {
      return yield* loadAt(deps, ref, settings, place);
    } catch (error) {
      place = await placement.next(place, error);
    }
  }
}

async function* loadAt(
  deps: LoadDeps,
  ref: ModelRef,
  settings: LoadSettings,
  place: GpuChoice,
): AsyncGenerator<LoadStep, void, void> {
  const { clock } = deps;
  // 1. The turn, and the memory. Held until the model is loaded, so that no other load counts on it.
  yield { phase: 'waiting-for-memory' };
  using grant = await deps.loadQueue.enter(
    (reclaimableBytes) => {
      const { device } = place;
      // Another model may have gone onto the device while this one waited.
      const deviceNow = device && { ...device, freeBytes: deps.gpu.freeBytes(device) };
      return deps.memory.plan(ref, settings, reclaimableBytes, deviceNow);
    },
    (refusal) => refusalError(ref.model, refusal),
  );
  // 2. What was measured of it on this machine.
  const startedMs = clock.monotonicMs();
  const gpu = residentGpu(grant.plan, place);
  const backend = gpu.device?.backend ?? 'off';
  const calibration = (await deps.calibrator?.begin({ ...ref, purpose: purposeOf(ref.facts), gpu: backend })) ?? null;
  const plan = { ...grant.plan, batchTokens: calibratedBatch(grant.plan.batchTokens, calibration) };
  // 3. A process with the model in it.
  yield { phase: 'starting', plan };
  const launched = await deps.launcher.launch({ ref, plan, gpu, slots: settings.slots, calibration });
  yield { phase: 'loaded', launched, plan, gpu, loadMs: clock.monotonicMs() - startedMs };
}
