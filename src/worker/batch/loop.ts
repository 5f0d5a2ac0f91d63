import { type AppError, toAppError } from '../../core/errors.ts';
import type { FinishReason } from '../../core/events.ts';
import type { StepReport, WorkerItem } from '../../ipc/protocol.ts';
import type { Job } from '../answer/job.ts';
import type { DraftController } from '../draft/controller.ts';
import type { PrefixStore, StoredPrefix } from '../prefix/prefix-store.ts';
import type { GeneratedToken, Sequence } from '../sequence/sequence.ts';
import { createKeeper } from './keeper.ts';
import type { PrefillPacer } from './pacer.ts';
import {
  allowsDrafts,
  chooseLeader,
  chooseSlot,
  commonLength,
  createSlots,
  isAtMark,
  marksOf,
  mayServe,
  minReuseTokens,
  partingOf,
  prefillOrder,
  type Slot,
  sharePrefill,
} from './slots.ts';
import type { StepThreads } from './step-threads.ts';

/** Reading a state from the disk has a price of its own. */
const minRestoreTokens = 64;

export interface BatchLoop {
  /** Takes a job; it starts at the next step that has a free slot. */
  add(job: Job): void;
  /** Ends a job at the next step boundary; unknown ids are ignored. */
  cancel(id: number): void;
  /**
   * Runs `work` on the slots once nobody else has any; a job that arrives meanwhile waits for its end. Null when there
   * are jobs, or when one comes first. Rejects when `work` does.
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
  pacer: PrefillPacer;
  drafts: Pick<DraftController, 'limit' | 'observe'>;
  /** Is told what kind of step comes next. */
  threads: Pick<StepThreads, 'use'>;
  /** States that outlive their slot, or null. */
  prefixes: PrefixStore | null;
  publish: (items: WorkerItem[], report: StepReport | null) => void;
  nowMs: () => number;
  /** Takes a line for the operator; native text never reaches a client. */
  log: (line: string) => void;
}): BatchLoop {
  const slots = createSlots(deps.sequences);
  const waiting: Job[] = [];
  const cancelled = new Set<number>();
  const { pacer, drafts } = deps;
  const keeper = createKeeper(deps);
  let arrivals = 0;
  let portions = 0;
  let items: WorkerItem[] = [];
  let wake: (() => void) | null = null;
  let stopReason: AppError | null = null;
  /** Work for an idle moment; not begun yet. */
  let errand: { run: () => Promise<void>; drop: () => void } | null = null;

  const release = async (slot: Slot) => {
    const generation = slot.generation;
    slot.job = null;
    slot.pending = [];
    slot.generation = null;
    slot.follows = null;
    slot.marks = [];
    slot.suspect = false;
    await generation?.stop();
  };

  const end = async (slot: Slot, reason: FinishReason) => {
    const job = slot.job!;
    for (const event of job.finish(reason)) items.push({ id: job.id, event });
    await release(slot);
  };

  const fail = async (slot: Slot, reason: unknown) => {
    deps.log(`slot ${slot.index}: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
    items.push({ id: slot.job!.id, error: toAppError(reason).toWire() });
    await release(slot);
    // What the failed call left in the context is unknown.
    await slot.sequence.reset();
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

  const admit = async () => {
    while (waiting.length > 0) {
      const choice = chooseSlot(slots, waiting[0]!);
      if (!choice) return;
      const job = waiting.shift()!;
      const { slot } = choice;
      const lead = chooseLeader(slots, job, choice.saved);
      slot.parting = partingOf(slots, job);
      // Taken before the first await: a cancel that arrives meanwhile must find its job.
      slot.job = job;
      slot.arrival = ++arrivals;
      const stored = keeper.find(slot);
      if (stored && stored.length >= Math.max(choice.saved, lead?.length ?? 0) + minRestoreTokens) {
        await restore(slot, stored);
      } else if (lead) slot.follows = { ...lead, job: lead.leader.job! };
      else await begin(slot);
    }
  };

  /** Starts a slot on a state from the store, which is better than anything a slot holds. */
  const restore = async (slot: Slot, stored: StoredPrefix) => {
    try {
      await hand(slot);
      if (!(await stored.load(slot.sequence))) await slot.sequence.reset();
    } catch (error) {
      await fail(slot, error);
      return;
    }
    await begin(slot);
  };

  /** Hands a slot's state to its job: what is worth keeping is kept, what the job may not use is forgotten. */
  const hand = async (slot: Slot) => {
    const { cache } = slot.job!;
    await keeper.persist(slot);
    if (!mayServe(slot, cache)) await slot.sequence.reset();
    slot.owner = cache.mode === 'keep' ? cache.owner : null;
  };

  /** Starts a slot on what its own state already holds of the prompt. */
  const begin = async (slot: Slot) => {
    try {
      await hand(slot);
      started(slot, await slot.sequence.adapt(slot.job!.prompt));
    } catch (error) {
      await fail(slot, error);
    }
  };

  const started = (slot: Slot, kept: number) => {
    const job = slot.job!;
    slot.follows = null;
    slot.begun = { atMs: deps.nowMs(), kept };
    slot.pending = job.prompt.slice(kept);
    slot.marks = marksOf(slot);
    for (const event of job.begin(kept)) items.push({ id: job.id, event });
  };

  /** Takes the shared prefix over where the leader has it, and goes on alone where the leader is gone. True after a copy. */
  const resolveFollowers = async (): Promise<boolean> => {
    let hasCopied = false;
    for (const slot of slots) {
      if (!slot.job || !slot.follows) continue;
      const { leader, job, length } = slot.follows;
      // While a leader waits for a leader of its own, its slot still holds an older conversation.
      if (leader.job === job && (leader.follows || leader.sequence.length < length)) continue;
      // So does the slot of one that went before it began: only what is really this prompt's beginning may be copied.
      // And only what this request may use: that conversation may be somebody else's.
      const common = mayServe(leader, slot.job.cache) ? commonLength(leader.sequence.tokens(), slot.job.prompt) : 0;
      const held = leader.sequence.copyable(Math.min(length, common));
      try {
        // The copy replaces whatever the slot held until now.
        await hand(slot);
        if (held >= minReuseTokens && (await slot.sequence.copyFrom(leader.sequence, held))) {
          hasCopied = true;
          started(slot, held);
        } else await begin(slot);
      } catch (error) {
        await fail(slot, error);
      }
      if (held < length) followHeir(slot, leader);
    }
    return hasCopied;
  };

  /** A leader that went early leaves its other followers to the first of them: they must not all do its work. */
  const followHeir = (heir: Slot, gone: Slot) => {
    for (const slot of slots) {
      if (!heir.job || !slot.job || slot.follows?.leader !== gone) continue;
      slot.follows = { leader: heir, job: heir.job, length: commonLength(heir.job.prompt, slot.job.prompt) };
    }
  };

  /** Issues one slot's part of the step; null when it has none. */
  const issue = (slot: Slot, share: number, report: StepReport): Promise<GeneratedToken | null> | null => {
    if (slot.generation) return slot.generation.next();
    if (share === 0) return null;
    const chunk = slot.pending.slice(0, share);
    slot.pending = slot.pending.slice(share);
    report.promptTokens += share;
    if (slot.pending.length > 0) return slot.sequence.prefill(chunk).then(() => null);
    // The last chunk also samples the first token.
    slot.generation = slot.sequence.generate(chunk, slot.job!.settings);
    return slot.generation.next();
  };

  const step = async () => {
    await applyCancels();
    // Of a copy the library first notes that it is to be made, and makes it with the next step: until then nothing may be
    // loaded or taken back into the slot that it comes from.
    if (!(await resolveFollowers())) await admit();
    // A slot whose context is full cannot take its last token in: its answer ends here.
    for (const slot of slots) {
      if (slot.job && slot.generation && slot.sequence.length + 1 > deps.contextTokens - 1)
        await end(slot, 'context_full');
    }
    // A batch that failed is looked at one slot at a time, until the guilty one is found.
    const suspect = slots.find((slot) => slot.suspect);
    const taking = suspect ? [suspect] : slots.filter((slot) => slot.job);
    const decoding = taking.filter((slot) => slot.generation).length;
    for (const slot of slots) if (slot.sequence.draft) slot.sequence.draft.limit = draftLimit(slot, decoding);
    const order = prefillOrder(slots, portions + 1);
    const shares = suspect
      ? new Map([[suspect, Math.min(suspect.pending.length, deps.batchTokens)]])
      : sharePrefill(slots, order, pacer.chunkTokens(decoding, order[0]?.sequence.length ?? 0));
    const depth = Math.max(0, ...[...shares.keys()].map(({ sequence }) => sequence.length));
    if (shares.size > 0) portions++;
    deps.threads.use(shares.size > 0 ? 'prefill' : 'decode');
    const report: StepReport = {
      sequences: 0,
      decoded: [],
      promptTokens: 0,
      drafts: { proposed: 0, accepted: 0 },
      milliseconds: 0,
      endedMs: 0,
    };
    const startedMs = deps.nowMs();
    // Everything is queued in one tick and in slot order, so that it lands in one decode call.
    const running: { slot: Slot; result: Promise<GeneratedToken | null> }[] = [];
    for (const slot of taking) {
      const result = issue(slot, shares.get(slot) ?? 0, report);
      if (result) running.push({ slot, result });
    }
    report.sequences = running.length;
    const settled = await Promise.allSettled(running.map(({ result }) => result));
    report.endedMs = deps.nowMs();
    report.milliseconds = report.endedMs - startedMs;
    pacer.observe({ ...report, decoding, depth });
    let generated = 0;
    for (const [index, outcome] of settled.entries()) {
      const { slot } = running[index]!;
      if (outcome.status === 'rejected') await retryAlone(slot, outcome.reason, running.length);
      else if (outcome.value !== null) {
        await accept(slot, outcome.value, report);
        const drained = await drain(slot, report);
        report.drafts.accepted += drained;
        generated += 1 + drained;
      }
    }
    // What parts here is put aside before anything goes on; a prompt that is still read has no generation.
    for (const { slot } of running) {
      if (slot.job && !slot.generation && slot.sequence.needsCheckpoints && isAtMark(slots, slot)) {
        await slot.sequence.checkpoint();
      }
    }
    report.drafts.proposed = slots.reduce((sum, slot) => sum + (slot.sequence.draft?.takeProposed() ?? 0), 0);
    const { proposed } = report.drafts;
    if (report.promptTokens === 0) drafts.observe({ ...report, active: decoding, proposed, generated });
    const published = items;
    items = [];
    if (published.length > 0 || running.length > 0) deps.publish(published, running.length > 0 ? report : null);
  };

  const draftLimit = (slot: Slot, decoding: number): number =>
    slot.generation && slot.job && allowsDrafts(slot.job) ? drafts.limit(decoding) : 0;

  /** Takes the tokens that this step's guesses already made; the slot must not lag behind its own state. */
  const drain = async (slot: Slot, report: StepReport): Promise<number> => {
    let taken = 0;
    // No step gives more than it guessed: beyond that, `next()` would decode, and everybody else would wait for it.
    const most = slot.sequence.draft?.limit ?? 0;
    while (taken < most && slot.generation && (slot.sequence.draft?.ready ?? 0) > 0) {
      await accept(slot, await slot.generation.next(), report);
      taken++;
    }
    return taken;
  };

  const accept = async (slot: Slot, token: GeneratedToken, report: StepReport) => {
    const job = slot.job!;
    const before = job.settings.generated.length;
    if (before === 0 && !slot.suspect) keeper.note(slot);
    slot.suspect = false;
    const { events, finished } = job.accept(token);
    for (const event of events) items.push({ id: job.id, event });
    if (finished) await release(slot);
    // The end token is no token of the answer.
    if (job.settings.generated.length > before) report.decoded.push(job.id);
  };

  /** One bad item fails its whole batch. The innocent are evaluated anew, alone, and go on where they were. */
  const retryAlone = async (slot: Slot, reason: unknown, batchSize: number) => {
    if (batchSize === 1 || slot.suspect) {
      await fail(slot, reason);
      return;
    }
    const job = slot.job!;
    await slot.generation?.stop();
    await slot.sequence.reset();
    slot.generation = null;
    slot.suspect = true;
    slot.pending = [...job.prompt, ...job.settings.generated];
  };

  const dropErrand = () => {
    errand?.drop();
    errand = null;
  };

  const idle = () => waiting.length === 0 && cancelled.size === 0 && slots.every((slot) => slot.job === null);

  const run = async () => {
    while (stopReason === null) {
      if (idle()) {
        const worthy = slots.find((slot) => slot.worth !== null);
        if (worthy) {
          // One at a time: a request that arrives meanwhile waits for one save at most.
          await keeper.persist(worthy);
          continue;
        }
        if (errand) {
          const { run: runErrand } = errand;
          errand = null;
          await runErrand();
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
        // Requests of the same moment arrive one by one; those that begin alike must meet before the first step.
        if (waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
        continue;
      }
      dropErrand();
      await step();
    }
    dropErrand();
    const error = stopReason.toWire();
    for (const job of waiting.splice(0)) items.push({ id: job.id, error });
    for (const slot of slots) {
      if (!slot.job) continue;
      items.push({ id: slot.job.id, error });
      await release(slot);
    }
    if (items.length > 0) deps.publish(items, null);
    for (const slot of slots) await keeper.persist(slot);
    await keeper.close();
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
    whenIdle<T>(work: (of: readonly Slot[]) => Promise<T>) {
      if (stopReason || errand || !idle()) return Promise.resolve(null);
      const { promise, resolve, reject } = Promise.withResolvers<T | null>();
      errand = { run: () => work(slots).then(resolve, reject), drop: () => resolve(null) };
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
