import type { Clock } from '../../core/clock.ts';
import type { ReadFile } from '../../machine/cgroup.ts';
import { createCpuReader } from '../../machine/cpu-reader.ts';
import { decideLimit, foreignWaitingShare, initialLimit } from './limit.ts';
import { createStepTimes } from './step-times.ts';

export interface ContentionWatch {
  /** Threads that may decode at present, in all; from 1 to `cores`. */
  readonly limit: number;
  /**
   * Tells of a finished step. `threads`: those it ran with. `tokens`: all tokens in it, prompt and decoded; the times
   * of a decode step and of a prompt chunk have nothing to do with each other.
   */
  observeStep(model: string, milliseconds: number, threads: number, tokens?: number): void;
  /** Forgets a model's usual step times, when it is unloaded: loaded again, it may have other settings. */
  forget(model: string): void;
  close(): void;
}

const intervalMs = 2_000;

/**
 * Watches whether others need the cores that we decode on, and says how many threads may decode.
 * `cores`: the most that may be, as of `usableCores`. `onLimit`: called with every change, and a reason for the log.
 */
export function createContentionWatch(deps: {
  readFile: ReadFile;
  clock: Clock;
  cores: number;
  onLimit: (cores: number, reason: string) => void;
}): ContentionWatch {
  const { clock } = deps;
  const reader = createCpuReader({ readFile: deps.readFile, monotonicMs: () => clock.monotonicMs() });
  const steps = createStepTimes();
  let state = initialLimit(deps.cores);
  let readAtMs = clock.monotonicMs();
  reader.read();

  const look = () => {
    const nowMs = clock.monotonicMs();
    const reading = {
      ...reader.read(),
      intervalMs: nowMs - readAtMs,
      busy: steps.observed > 0,
      slowdown: steps.slowdown(),
    };
    readAtMs = nowMs;
    const decision = decideLimit(state, reading);
    state = decision.state;
    // Under pressure the usual time would creep up until the pressure looked usual.
    steps.settle(!decision.strained && (reading.waitingShare ?? 0) < foreignWaitingShare);
    if (decision.change === null) return;
    if (decision.change.relearn) steps.forgetAll();
    deps.onLimit(decision.change.limit, decision.change.reason);
  };
  const timer = clock.every(intervalMs, look);

  return {
    get limit() {
      return state.limit;
    },
    observeStep: (model, milliseconds, threads, tokens = 1) => steps.observe(model, milliseconds, threads, tokens),
    forget: (model) => steps.forget(model),
    close: () => timer.cancel(),
  };
}
