import type { AppError } from '../../core/errors.ts';
import type { StepReport, WorkerItem } from '../../ipc/protocol.ts';
import type { Task } from '../answer/answer.ts';
import type { DraftController } from '../draft/draft.ts';
import { createPrefixCache, type PrefixStore } from '../prefix/prefix.ts';
import type { Sequence } from '../sequence/sequence.ts';
import { createDecodeStep } from './decode-step.ts';
import type { PrefillPacer } from './pacer.ts';
import { createPrefixSharing } from './prefix-sharing.ts';
import { createSlotStart } from './slot-start.ts';
import { createSlots, freeSlot, type Slot } from './slots.ts';
import type { StepThreads } from './step-threads.ts';
import { createTaskReports } from './task-reports.ts';

export interface BatchLoop {
  /** Takes a task; it starts at the next step that has a free slot. */
  add(task: Task): void;
  /** Ends a task at the next step boundary; unknown ids are ignored. */
  cancel(id: number): void;
  /**
   * Runs `work` on the slots once nobody else has any; a task that arrives meanwhile waits for its end. Null when there
   * are tasks, or when one comes first. Rejects when `work` does.
   */
  whenIdle<T>(work: (slots: readonly Slot[]) => Promise<T>): Promise<T | null>;
  /** Stops after the step under way and fails what is left. */
  stop(reason: AppError): Promise<void>;
}

/**
 * Lock-step continuous batching over fixed slots. Every step puts all decoding slots and one bounded portion of
 * prompt tokens into one decode call, in ascending slot order, and waits for all of them: nobody overtakes, nobody is
 * left out, and the order of sequence ids in the batch is what llama.cpp needs to run it as one pass.
 * Requests that share a prefix evaluate it once: a later one waits for the earlier one and takes its state over.
 * `publish` gets everything that happened in a step at once.
 */
export function createBatchLoop(deps: {
  sequences: readonly Sequence[];
  /** Tokens one slot can hold. */
  contextTokens: number;
  /** Largest decode call. */
  batchTokens: number;
  /** As `steadyPortionTokens`. */
  steadyTokens: number;
  pacer: PrefillPacer;
  drafts: Pick<DraftController, 'limit' | 'observe'>;
  /** Is told what kind of step comes next. */
  threads: Pick<StepThreads, 'use'>;
  /** States that outlive their slot, or null. */
  prefixes: PrefixStore | null;
  publish: (items: WorkerItem[], report: StepReport | null) => void;
  nowMs: () => number;
  /** Takes a line for the operator; the library's own words never reach a client. */
  log: (line: string) => void;
}): BatchLoop {
  const slots = createSlots(deps.sequences);
  const reports = createTaskReports(deps);
  const cache = createPrefixCache({ ...deps, store: deps.prefixes });
  const sharing = createPrefixSharing({ slots, cache, start: createSlotStart({ ...deps, cache, reports }) });
  const decode = createDecodeStep({ ...deps, slots, cache, reports });
  const waiting: Task[] = [];
  const cancelled = new Set<number>();
  let wake: (() => void) | null = null;
  let stopReason: AppError | null = null;
  /** Work for an idle moment; not begun yet. */
  let idleWork: { run: () => Promise<void>; drop: () => void } | null = null;

  const applyCancels = async () => {
    for (const slot of slots) if (slot.task && cancelled.has(slot.task.id)) await reports.end(slot, 'cancelled');
    for (let index = waiting.length - 1; index >= 0; index--) {
      const task = waiting[index]!;
      if (!cancelled.has(task.id)) continue;
      waiting.splice(index, 1);
      reports.tell(task, task.finish('cancelled'));
    }
    cancelled.clear();
  };

  const step = async () => {
    if (cancelled.size > 0) await applyCancels();
    // Of a copy the library first notes that it is to be made, and makes it with the next step: until then nothing may be
    // loaded or taken back into the slot that it comes from.
    if (!(await sharing.advanceFollowers())) await sharing.admit(waiting);
    // A slot whose context is full cannot take its last token in: its answer ends here.
    for (const slot of slots) {
      const isFull = slot.sequence.length + 1 > deps.contextTokens - 1;
      if (slot.task && slot.generation && isFull) await reports.end(slot, 'context_full');
    }
    const report = await decode();
    const items = reports.take();
    if (items.length > 0 || report) deps.publish(items, report);
  };

  const dropIdleWork = () => {
    idleWork?.drop();
    idleWork = null;
  };

  const isIdle = () => waiting.length === 0 && cancelled.size === 0 && slots.every((slot) => slot.task === null);

  /** One piece of what is only done when nobody has a task; with nothing left to do, waits for somebody. */
  const spendIdleMoment = async () => {
    const worthy = slots.find((slot) => slot.retention !== null);
    // One at a time: a request that arrives meanwhile waits for one save at most.
    if (worthy) return cache.retain(worthy);
    if (idleWork) {
      const { run: runIdleWork } = idleWork;
      idleWork = null;
      return runIdleWork();
    }
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    wake = null;
    // Requests of the same moment arrive one by one; those that begin alike must meet before the first step.
    if (waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
  };

  const failAll = async (reason: AppError) => {
    for (const task of waiting.splice(0)) reports.refuse(task, reason);
    for (const slot of slots) {
      if (!slot.task) continue;
      reports.refuse(slot.task, reason);
      await freeSlot(slot);
    }
    const items = reports.take();
    if (items.length > 0) deps.publish(items, null);
  };

  const run = async () => {
    while (stopReason === null) {
      if (isIdle()) await spendIdleMoment();
      else {
        dropIdleWork();
        await step();
      }
    }
    dropIdleWork();
    await failAll(stopReason);
    for (const slot of slots) await cache.retain(slot);
    await cache.close();
  };
  const running = run();

  return {
    add(task) {
      waiting.push(task);
      wake?.();
    },
    cancel(id) {
      if (!waiting.some((task) => task.id === id) && !slots.some((slot) => slot.task?.id === id)) return;
      cancelled.add(id);
      wake?.();
    },
    whenIdle<T>(work: (of: readonly Slot[]) => Promise<T>) {
      if (stopReason || idleWork || !isIdle()) return Promise.resolve(null);
      const { promise, resolve, reject } = Promise.withResolvers<T | null>();
      idleWork = { run: () => work(slots).then(resolve, reject), drop: () => resolve(null) };
      wake?.();
      return promise;
    },
    async stop(reason) {
      stopReason = reason;
      wake?.();
      await running;
    },
  };
}
