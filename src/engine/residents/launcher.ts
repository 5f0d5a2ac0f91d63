import type { Clock } from '../../core/clock.ts';
import type { Operation } from '../../core/model.ts';
import type { WorkerProcess } from '../../ipc/fork.ts';
import type { StepReport, WorkerOptions } from '../../ipc/protocol.ts';
import type { ThreadTime } from '../../machine/thread-time.ts';
import type { Bus } from '../../observe/bus.ts';
import type { Logger } from '../../observe/logger.ts';
import { purposeOf } from '../../store/gguf/gguf.ts';
import { addTunedShare, type Calibration, type TunedShare } from '../calibration/calibration.ts';
import type { ResidentGpu } from '../gpu/gpu.ts';
import type { LoadPlan } from '../memory/memory.ts';
import type { ContentionWatch, ThreadArbiter } from '../threads/threads.ts';
import type { ModelRef } from './model-ref.ts';
import { type ModelWorker, startWorker } from './model-worker.ts';

/** A model that is about to be launched. */
interface Launch {
  ref: ModelRef;
  plan: LoadPlan;
  gpu: ResidentGpu;
  /** As of `LoadSettings`. */
  slots: number | undefined;
  /** What is known of the model on this machine, or null. */
  calibration: Pick<Calibration, 'libuvThreads'> | null;
  /** Aborted: the load is not wanted any more. */
  signal: AbortSignal;
}

/** A worker that has loaded its model, and its share of the threads. */
export interface Launched {
  worker: ModelWorker;
  share: TunedShare;
  /** Gives the threads back; for when the process is gone. */
  release(): void;
}

/** Starts workers. */
export interface Launcher {
  /** Rejects as `startWorker` does; the share is given back by then. */
  launch(launch: Launch): Promise<Launched>;
}

/** `fork`: its `environment` comes on top of the server's. */
export function createLauncher(deps: {
  fork: (environment: Record<string, string>) => WorkerProcess;
  arbiter: ThreadArbiter;
  /** Is told how long steps take, to notice when others need the cores. */
  contention: Pick<ContentionWatch, 'observeStep' | 'forget'>;
  /** Threads of its pool that a worker works with until it is calibrated. */
  libuvThreads: number;
  /** Where a model keeps states of prompts, or null. */
  vaultFor: (ref: ModelRef) => WorkerOptions['vault'];
  /** Whether workers may guess several tokens ahead. */
  drafts: boolean;
  loadTimeoutMs: number;
  /** As `startWorker` takes it. */
  threadTime?: (pid: number) => ThreadTime | null;
  clock: Clock;
  log: Logger;
  bus: Pick<Bus, 'publish'>;
}): Launcher {
  const optionsOf = ({ ref, plan, gpu, slots, calibration }: Launch, threads: number): WorkerOptions => {
    const purpose = purposeOf(ref.facts);
    return {
      purpose,
      model: ref.model,
      modelPath: ref.filePath,
      contextTokens: plan.contextTokens,
      slots: slotsFor(purpose, plan.slots, slots),
      batchTokens: plan.batchTokens,
      useMmap: plan.useMmap,
      kvType: plan.kvType,
      vault: deps.vaultFor(ref),
      flashAttention: plan.flashAttention,
      maxThreads: plan.threads,
      threads,
      libuvThreads: calibration?.libuvThreads ?? deps.libuvThreads,
      drafts: deps.drafts,
      gpu: gpu.device && { backend: gpu.device.backend, layers: gpu.layers, bytes: gpu.bytes },
    };
  };
  return {
    async launch(launch) {
      const { ref, plan, gpu } = launch;
      let worker: ModelWorker | null = null;
      const share = addTunedShare(deps.arbiter, plan.threads, (...threads) => worker?.setThreads(...threads));
      const release = () => {
        share.remove();
        deps.contention.forget(ref.id);
      };
      const onStep = ({ milliseconds, promptTokens, sequences, prefixes, drafts }: StepReport) => {
        deps.contention.observeStep(ref.id, milliseconds, share.threads, promptTokens + sequences);
        const { proposed: drafted, accepted } = drafts;
        deps.bus.publish({ type: 'step', model: ref.model, sequences, promptTokens, prefixes, drafted, accepted });
      };
      try {
        worker = await startWorker({
          worker: deps.fork(gpu.device?.environment ?? {}),
          options: optionsOf(launch, share.threads),
          loadTimeoutMs: deps.loadTimeoutMs,
          signal: launch.signal,
          ...(deps.threadTime && { threadTime: deps.threadTime }),
          clock: deps.clock,
          log: deps.log,
          onStep,
        });
      } catch (error) {
        release();
        throw error;
      }
      share.announce();
      return { worker, share, release };
    },
  };
}

/** How many requests for vectors or scores take turns; one that waits in the queue instead waits for all of another. */
const turns = 4;

/**
 * Slots of a loaded model. Those of a model that generates cost memory and are the plan's to give; vectors and scores are
 * computed one text at a time whatever the number, so there only a wish can make it less than `turns`.
 */
export function slotsFor(purpose: Operation, plannedSlots: number, wishedSlots: number | undefined): number {
  return purpose === 'generate' ? plannedSlots : (wishedSlots ?? turns);
}
