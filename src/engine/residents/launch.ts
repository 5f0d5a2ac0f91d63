import type { Clock } from '../../core/clock.ts';
import type { WorkerProcess } from '../../ipc/fork.ts';
import type { WorkerOptions } from '../../ipc/protocol.ts';
import type { GpuDevice } from '../../machine/gpu/device.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { type Purpose, purposeOf } from '../../store/gguf/gguf.ts';
import { type Calibrator, calibratedBatch } from '../calibration/calibrator.ts';
import { addTunedShare, type TunedShare } from '../calibration/tuned-share.ts';
import type { LoadPlan } from '../memory/plan.ts';
import type { ThreadArbiter } from '../threads/arbiter.ts';
import type { PressureWatch } from '../threads/contention.ts';
import { type EndReason, type Resident, startResident } from './model-worker.ts';
import type { LoadSettings, ModelRef } from './resident.ts';

/** What starting a worker needs of the manager's parts. */
export interface LaunchDeps {
  /** `environment`: on top of the server's. */
  fork: (environment: Record<string, string>) => WorkerProcess;
  /** Threads of its pool that a worker works with until it is calibrated. */
  libuvThreads: number;
  arbiter: ThreadArbiter;
  /** Is told how long steps take, to notice when others need the cores. */
  pressure: Pick<PressureWatch, 'observeStep' | 'forget'>;
  /** Left out: models are not calibrated. */
  calibrator?: Calibrator | null;
  /** Where a model keeps states of prompts, or null. */
  vaultFor: (ref: ModelRef) => WorkerOptions['vault'];
  /** Whether workers may guess several tokens ahead. */
  drafts: boolean;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  loadTimeoutMs: number;
}

/** A model that is about to be launched. */
export interface Launch {
  ref: ModelRef;
  settings: LoadSettings;
  /** Calibration may still make its batch smaller. */
  granted: LoadPlan;
  /** Where the plan's layers go; null: nowhere. */
  device: GpuDevice | null;
}

/**
 * Starts a worker with a model as planned, with a share of the threads. Rejects as `startResident` does; the share is
 * given back by then. `planned` is told the final plan before the worker starts, `ended` its end after a good start.
 */
export async function launchModel(
  deps: LaunchDeps,
  { ref, settings, granted, device }: Launch,
  on: { planned: (plan: LoadPlan) => void; ended: (reason: EndReason) => void },
): Promise<{ plan: LoadPlan; resident: Resident; share: TunedShare }> {
  const { metrics } = deps;
  const mode = purposeOf(ref.facts);
  const calibrated = (await deps.calibrator?.begin({ ...ref, mode, gpu: device?.backend ?? 'off' })) ?? null;
  const plan = { ...granted, batchTokens: calibratedBatch(granted.batchTokens, calibrated) };
  on.planned(plan);
  let resident: Resident | null = null;
  const share = addTunedShare(deps.arbiter, plan.threads, (...threads) => resident?.setThreads(...threads));
  try {
    resident = await startResident({
      worker: deps.fork(device?.environment ?? {}),
      options: {
        mode,
        modelPath: ref.filePath,
        contextTokens: plan.contextTokens,
        slots: slotsFor(mode, plan.slots, settings.slots),
        batchTokens: plan.batchTokens,
        useMmap: plan.useMmap,
        kvType: plan.kvType,
        vault: deps.vaultFor(ref),
        flashAttention: plan.flashAttention,
        maxThreads: plan.threads,
        threads: share.threads,
        libuvThreads: calibrated?.libuvThreads ?? deps.libuvThreads,
        drafts: deps.drafts,
        gpu: device && { backend: device.backend, layers: plan.gpuLayers, bytes: plan.gpuBytes },
      },
      loadTimeoutMs: deps.loadTimeoutMs,
      clock: deps.clock,
      log: deps.log,
      onStep(report) {
        deps.pressure.observeStep(ref.id, report.milliseconds, share.threads, report.promptTokens + report.sequences);
        metrics.steps.inc({ model: ref.model });
        metrics.stepSequences.observe({ model: ref.model }, report.sequences);
        if (report.promptTokens > 0) metrics.evaluatedPromptTokens.inc({ model: ref.model }, report.promptTokens);
        const { proposed, accepted } = report.drafts;
        if (proposed > 0) {
          metrics.draftTokens.inc({ model: ref.model, result: 'accepted' }, accepted);
          metrics.draftTokens.inc({ model: ref.model, result: 'rejected' }, Math.max(0, proposed - accepted));
        }
      },
      onEnd: on.ended,
    });
  } catch (error) {
    share.remove();
    throw error;
  }
  share.announce();
  return { plan, resident, share };
}

/** How many requests for vectors or scores take turns; one that waits in the queue instead waits for all of another. */
const turns = 4;

/**
 * Slots of a loaded model. Those of a model that generates cost memory and are the plan's to give; vectors and scores are
 * computed one text at a time whatever the number, so there only a wish can make it less than `turns`.
 */
export function slotsFor(purpose: Purpose, plannedSlots: number, wishedSlots: number | undefined): number {
  return purpose === 'generate' ? plannedSlots : (wishedSlots ?? turns);
}
