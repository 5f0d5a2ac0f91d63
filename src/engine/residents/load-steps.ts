import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import type { Logger } from '../../observe/logger.ts';
import { purposeOf } from '../../store/gguf/gguf.ts';
import { type Calibrator, calibratedBatch } from '../calibration/calibration.ts';
import { createPlacement, type GpuChoice, type GpuSelector, type ResidentGpu, residentGpu } from '../gpu/gpu.ts';
import { type LoadOutcome, type LoadPlan, refusalError } from '../memory/memory.ts';
import { type FileStamp, fileStamp } from './file-stamp.ts';
import type { Launched, Launcher } from './launcher.ts';
import type { LoadQueue } from './load-queue.ts';
import type { LoadSettings, ModelRef } from './model-ref.ts';
import { withSignal } from './with-signal.ts';

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
  /** Left out: of files on disk. */
  stampOf?: FileStamp;
  clock: Clock;
  log: Logger;
}

/**
 * Loads a model: from place to place, until one takes it or the failure is final, which is thrown. An abort of `signal`
 * ends the loader and is thrown as its reason.
 */
export async function* loadSteps(
  deps: LoadDeps,
  ref: ModelRef,
  settings: LoadSettings,
  signal: AbortSignal,
): AsyncGenerator<LoadStep, void, void> {
  const placement = createPlacement(deps, { id: ref.id, wish: settings.gpu });
  let place = await withSignal(placement.first(), signal);
  while (true) {
    try {
      return yield* loadAt(deps, ref, settings, place, signal);
    } catch (error) {
      signal.throwIfAborted();
      place = await withSignal(placement.next(place, error), signal);
    }
  }
}

async function* loadAt(
  deps: LoadDeps,
  ref: ModelRef,
  settings: LoadSettings,
  place: GpuChoice,
  signal: AbortSignal,
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
    signal,
    settings.isBackground || settings.restored !== undefined,
  );
  // 2. What was measured of it on this machine.
  const startedMs = clock.monotonicMs();
  const gpu = residentGpu(grant.plan, place);
  const backend = gpu.device?.backend ?? 'off';
  const calibration = (await deps.calibrator?.begin({ ...ref, purpose: purposeOf(ref.facts), gpu: backend })) ?? null;
  const plan = { ...grant.plan, batchTokens: calibratedBatch(grant.plan.batchTokens, calibration) };
  // 3. A process with the model in it.
  yield { phase: 'starting', plan };
  const launched = await steadily(deps, ref, () =>
    deps.launcher.launch({ ref, plan, gpu, slots: settings.slots, calibration, signal }),
  );
  yield { phase: 'loaded', launched, plan, gpu, loadMs: clock.monotonicMs() - startedMs };
}

/**
 * Launches a model from a file that stays as it is meanwhile. Of one that is still being written, parts of two contents
 * would be loaded, and whatever comes of it, also a failure, says nothing of the file.
 */
async function steadily(
  { stampOf = fileStamp }: Pick<LoadDeps, 'stampOf'>,
  ref: ModelRef,
  launch: () => Promise<Launched>,
): Promise<Launched> {
  const before = stampOf(ref.filePath);
  const outcome = await launch().then(
    (launched) => ({ launched }),
    (error: unknown) => ({ error }),
  );
  const isSteady = stampOf(ref.filePath) === before;
  if (isSteady && 'launched' in outcome) return outcome.launched;
  if (isSteady && 'error' in outcome) throw outcome.error;
  if ('launched' in outcome) {
    await outcome.launched.worker.stop();
    outcome.launched.release();
  }
  throw new AppError('model_load_failed', `The file of the model "${ref.model}" changed while it was loaded.`, {
    fix: 'Ask again when it is written to its end.',
    details: { reason: 'file_changed' },
  });
}
