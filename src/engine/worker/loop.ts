import { AppError, toAppError } from '../../core/errors.ts';
import type { FinishReason } from '../../core/events.ts';
import type { StepReport, WorkerItem } from '../ipc/protocol.ts';
import type { Job } from './job.ts';
import type { Generation, Sequence } from './sequence.ts';

/**
 * Prompt tokens per step while other slots decode. The kernels change gear at 64 rows, so less is not worth it, and
 * more makes the decoders wait. Source: measured, see the folder's README.
 */
const prefillChunkTokens = 64;

/** A reused prefix shorter than this is not worth leaving the lowest free slot, which keeps the batch contiguous. */
const minReuseTokens = 16;

interface Slot {
  readonly index: number;
  readonly sequence: Sequence;
  job: Job | null;
  /** Prompt tokens that are not evaluated yet. */
  pending: number[];
  generation: Generation | null;
  /** Order of admission: the oldest prefill goes first. */
  admittedAt: number;
}

export interface BatchLoop {
  /** Takes a job; it starts at the next step that has a free slot. */
  add(job: Job): void;
  /** Ends a job at the next step boundary; unknown ids are ignored. */
  cancel(id: number): void;
  /** Stops after the step under way and fails what is left. */
  stop(reason: AppError): Promise<void>;
}

/**
 * Lock-step continuous batching over fixed slots. Every step puts all decoding slots and one bounded portion of
 * prompt tokens into one decode call, in ascending slot order, and waits for all of them: nobody overtakes, nobody is
 * left out, and the order of sequence ids in the batch is what llama.cpp needs to run it as one pass.
 * `publish` gets everything that happened in a step at once.
 */
export function createBatchLoop(deps: {
  sequences: readonly Sequence[];
  /** Tokens one slot can hold. */
  contextTokens: number;
  /** Largest decode call. */
  batchTokens: number;
  publish: (items: WorkerItem[], report: StepReport | null) => void;
  /** Takes a line for the operator; native text never reaches a client. */
  log: (line: string) => void;
}): BatchLoop {
  const slots: Slot[] = deps.sequences.map((sequence, index) => ({
    index,
    sequence,
    job: null,
    pending: [],
    generation: null,
    admittedAt: 0,
  }));
  const waiting: Job[] = [];
  const cancelled = new Set<number>();
  let admissions = 0;
  let items: WorkerItem[] = [];
  let wake: (() => void) | null = null;
  let stopReason: AppError | null = null;

  const release = async (slot: Slot) => {
    const generation = slot.generation;
    slot.job = null;
    slot.pending = [];
    slot.generation = null;
    await generation?.stop();
  };

  const end = async (slot: Slot, reason: FinishReason) => {
    const job = slot.job!;
    for (const event of job.finish(reason)) items.push({ id: job.id, event });
    await release(slot);
  };

  const applyCancels = async () => {
    if (cancelled.size === 0) return;
    for (const slot of slots) if (slot.job && cancelled.has(slot.job.id)) await end(slot, 'cancelled');
    for (let index = waiting.length - 1; index >= 0; index--) {
      const job = waiting[index]!;
      if (!cancelled.has(job.id)) continue;
      waiting.splice(index, 1);
      for (const event of job.finish('cancelled')) items.push({ id: job.id, event });
    }
    cancelled.clear();
  };

  /** The free slot that saves the most prompt, or the lowest free one. */
  const chooseSlot = (job: Job): Slot | null => {
    let chosen: Slot | null = null;
    let saved = minReuseTokens - 1;
    let lowest: Slot | null = null;
    for (const slot of slots) {
      if (slot.job) continue;
      lowest ??= slot;
      const prefix = slot.sequence.reusablePrefix(job.prompt);
      if (prefix > saved) {
        chosen = slot;
        saved = prefix;
      }
    }
    return chosen ?? lowest;
  };

  const admit = async () => {
    while (waiting.length > 0) {
      const slot = chooseSlot(waiting[0]!);
      if (!slot) return;
      const job = waiting.shift()!;
      // Taken before the first await: a cancel that arrives meanwhile must find its job.
      slot.job = job;
      slot.admittedAt = admissions++;
      try {
        const kept = await slot.sequence.adapt(job.prompt);
        slot.pending = job.prompt.slice(kept);
        for (const event of job.begin(kept)) items.push({ id: job.id, event });
      } catch (error) {
        await fail(slot, error);
      }
    }
  };

  /** Prompt tokens that each prefilling slot may evaluate in this step, the oldest first. */
  const sharePrefill = (decoding: number): Map<Slot, number> => {
    let left = decoding === 0 ? deps.batchTokens : Math.min(prefillChunkTokens, deps.batchTokens - decoding);
    const shares = new Map<Slot, number>();
    const prefilling = slots.filter((slot) => slot.job && slot.pending.length > 0);
    for (const slot of prefilling.sort((a, b) => a.admittedAt - b.admittedAt)) {
      const share = Math.min(slot.pending.length, left);
      if (share <= 0) break;
      shares.set(slot, share);
      left -= share;
    }
    return shares;
  };

  const step = async () => {
    await applyCancels();
    await admit();
    // A slot whose context is full cannot take its last token in: its answer ends here.
    for (const slot of slots) {
      if (slot.job && slot.generation && slot.sequence.length + 1 > deps.contextTokens - 1) await end(slot, 'length');
    }
    const decoding = slots.filter((slot) => slot.generation !== null);
    const shares = sharePrefill(decoding.length);
    const report: StepReport = { sequences: 0, decoded: [], promptTokens: 0 };
    // Everything is queued in one tick and in slot order, so that it lands in one decode call.
    const running: { slot: Slot; result: Promise<number | null> }[] = [];
    for (const slot of slots) {
      if (!slot.job) continue;
      if (slot.generation) {
        running.push({ slot, result: slot.generation.next() });
        continue;
      }
      const share = shares.get(slot) ?? 0;
      if (share === 0) continue;
      const chunk = slot.pending.slice(0, share);
      slot.pending = slot.pending.slice(share);
      report.promptTokens += share;
      if (slot.pending.length > 0) {
        running.push({ slot, result: slot.sequence.prefill(chunk).then(() => null) });
      } else {
        // The last chunk also samples the first token.
        slot.generation = slot.sequence.generate(chunk, slot.job.sampling, slot.job.generated);
        running.push({ slot, result: slot.generation.next() });
      }
    }
    report.sequences = running.length;
    const settled = await Promise.allSettled(running.map(({ result }) => result));
    for (const [index, outcome] of settled.entries()) {
      const { slot } = running[index]!;
      if (outcome.status === 'rejected') await fail(slot, outcome.reason);
      else if (outcome.value !== null) {
        const job = slot.job!;
        const before = job.generated.length;
        await accept(slot, outcome.value);
        // The end token is no token of the answer.
        if (job.generated.length > before) report.decoded.push(job.id);
      }
    }
    const published = items;
    items = [];
    if (published.length > 0 || running.length > 0) deps.publish(published, running.length > 0 ? report : null);
  };

  const accept = async (slot: Slot, token: number) => {
    const job = slot.job!;
    const { events, finished } = job.accept(token);
    for (const event of events) items.push({ id: job.id, event });
    if (finished) await release(slot);
  };

  const fail = async (slot: Slot, reason: unknown) => {
    deps.log(`slot ${slot.index}: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
    items.push({ id: slot.job!.id, error: toAppError(reason).toWire() });
    await release(slot);
    // What the failed call left in the context is unknown.
    await slot.sequence.reset();
  };

  const idle = () => waiting.length === 0 && cancelled.size === 0 && slots.every((slot) => slot.job === null);

  const run = async () => {
    while (stopReason === null) {
      if (idle()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
        continue;
      }
      await step();
    }
    const error = stopReason.toWire();
    for (const job of waiting.splice(0)) items.push({ id: job.id, error });
    for (const slot of slots) {
      if (!slot.job) continue;
      items.push({ id: slot.job.id, error });
      await release(slot);
    }
    if (items.length > 0) deps.publish(items, null);
  };
  const running = run();

  return {
    add(job) {
      waiting.push(job);
      wake?.();
    },
    cancel(id) {
      if (!waiting.some((job) => job.id === id) && !slots.some((slot) => slot.job?.id === id)) return;
      cancelled.add(id);
      wake?.();
    },
    async stop(reason) {
      stopReason = reason;
      wake?.();
      await running;
    },
  };
}

/** The error of a prompt that does not fit: both numbers, before anything is decoded. */
export function contextLengthError(promptTokens: number, contextTokens: number): AppError {
  return new AppError(
    'context_length_exceeded',
    `The prompt has ${promptTokens} tokens; the context holds ${contextTokens}, and the answer needs room too.`,
    {
      fix: 'Shorten the prompt, or load the model with a larger context_length.',
      details: { prompt_tokens: promptTokens, context_tokens: contextTokens },
    },
  );
}
