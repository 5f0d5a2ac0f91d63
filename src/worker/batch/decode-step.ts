import type { StepReport } from '../../ipc/protocol.ts';
import type { Scoring } from '../answer/answer.ts';
import type { DraftController } from '../draft/draft.ts';
import { allowsDrafts } from '../draft/draft.ts';
import type { PrefixCache } from '../prefix/prefix.ts';
import type { GeneratedToken } from '../sequence/sequence.ts';
import type { PrefillPacer } from './pacer.ts';
import { isAtStop, prefillOrder, sharePrefill } from './portions.ts';
import { freeSlot, type Slot } from './slots.ts';
import { isSteady } from './steady.ts';
import type { StepThreads } from './step-threads.ts';
import type { TaskReports } from './task-reports.ts';

/** Runs one step of all slots that have work; null when none has. */
type DecodeStep = () => Promise<StepReport | null>;

/** What came of one slot's part: part of a prompt was read, a token was chosen, or shares were. */
type Outcome = GeneratedToken | number[] | null;

/** What one step takes in. */
interface StepPlan {
  /** Slots that take part, in ascending order. */
  taking: readonly Slot[];
  /** Prompt tokens of each. */
  shares: ReadonlyMap<Slot, number>;
  /** Slots that decode. */
  decoding: number;
  /** Tokens before the deepest of the prompt portions. */
  depth: number;
}

/**
 * One step: every decoding slot and one bounded portion of prompt tokens in one decode call, then what came of it.
 * A batch that failed is looked at one slot at a time, until the guilty one is found.
 */
export function createDecodeStep(deps: {
  slots: readonly Slot[];
  /** Tokens that one slot can hold. */
  contextTokens: number;
  /** Largest decode call. */
  batchTokens: number;
  /** Prompt tokens of a portion that is not to follow the time. */
  steadyTokens: number;
  pacer: PrefillPacer;
  drafts: Pick<DraftController, 'limit' | 'observe'>;
  /** Is told what kind of step comes next. */
  threads: Pick<StepThreads, 'use'>;
  cache: Pick<PrefixCache, 'note'>;
  reports: Pick<TaskReports, 'tell' | 'fail' | 'takePrefixes'>;
  nowMs: () => number;
}): DecodeStep {
  const { slots, pacer, drafts, reports } = deps;
  let portions = 0;
  /** The last step was a prompt's portion alone: those who decode come next. */
  let wasAlone = false;

  const plan = (): StepPlan => {
    const suspect = slots.find((slot) => slot.suspect);
    if (suspect) return planOf([suspect], new Map([[suspect, Math.min(suspect.pending.length, deps.batchTokens)]]));
    const taking = slots.filter((slot) => slot.task);
    const decoding = taking.filter((slot) => slot.generation);
    const order = prefillOrder(slots, portions + 1);
    const [first] = order;
    // Its rows are a pass of their own beside decoders too, so that a step of its own costs them next to nothing.
    if (first?.task && isSteady(first.task)) {
      if (wasAlone && decoding.length > 0) return planOf(decoding, new Map());
      return planOf([first], sharePrefill(slots, [first], deps.steadyTokens));
    }
    const others = order.filter(({ task }) => task && !isSteady(task));
    const paced = pacer.chunkTokens(decoding.length, first?.sequence.length ?? 0);
    const budget = taking.every(({ task }) => task?.isBackground)
      ? Math.min(paced, shortPortion(decoding.length))
      : paced;
    return planOf(taking, sharePrefill(slots, others, budget));
  };

  /**
   * Prompt tokens of a step for whom nobody waits: whoever comes meanwhile waits for it, half of it on average. As with the
   * pacer, one token goes with the decoders.
   */
  const shortPortion = (decoding: number) => Math.ceil(deps.steadyTokens / 2) + (decoding > 0 ? 1 : 0);

  const planOf = (taking: readonly Slot[], shares: StepPlan['shares']): StepPlan => {
    const decoding = taking.filter((slot) => slot.generation).length;
    if (shares.size > 0) portions++;
    wasAlone = decoding === 0;
    const depth = Math.max(0, ...[...shares.keys()].map(({ sequence }) => sequence.length));
    return { taking, shares, decoding, depth };
  };

  const draftLimit = ({ generation, task, sequence }: Slot, decoding: number): number => {
    if (!generation || !task || !allowsDrafts(task.settings) || isSteady(task)) return 0;
    // Beyond the context the library drops the oldest tokens without a word, and the answer would go on without an end.
    const room = deps.contextTokens - 2 - sequence.length;
    return Math.max(0, Math.min(drafts.limit(decoding), room));
  };

  /** Issues one slot's part of the step; null when it has none. */
  const issue = (slot: Slot, share: number, report: StepReport): Promise<Outcome> | null => {
    if (slot.generation) return slot.generation.next();
    if (share === 0) return null;
    const chunk = slot.pending.slice(0, share);
    slot.pending = slot.pending.slice(share);
    report.promptTokens += share;
    if (slot.pending.length > 0) return slot.sequence.prefill(chunk).then(() => null);
    const { scoring } = slot.task!;
    if (scoring) return slot.sequence.score(chunk, scoring.candidates);
    // The last chunk also samples the first token.
    slot.generation = slot.sequence.generate(chunk, slot.task!.settings);
    return slot.generation.next();
  };

  const accept = async (slot: Slot, token: GeneratedToken, report: StepReport) => {
    const task = slot.task!;
    const before = task.settings.generated.length;
    if (before === 0 && !slot.suspect) deps.cache.note(slot);
    slot.suspect = false;
    const { events, finished } = task.accept(token);
    reports.tell(task, events);
    if (finished) await freeSlot(slot);
    // The end token is no token of the answer.
    if (task.settings.generated.length > before) report.decoded.push(task.id);
  };

  /** A prompt of a task that wants no tokens was read: the slot goes back to what the next one has in common with it. */
  const acceptShares = async (slot: Slot, scoring: Scoring, shares: readonly number[]) => {
    const task = slot.task!;
    if (scoring.read === 0) deps.cache.note(slot);
    const read = task.prompt;
    const { goesOn, keptTokens } = scoring.take(shares);
    const kept = await slot.sequence.adapt(read.slice(0, keptTokens + 1));
    if (goesOn) slot.pending = task.prompt.slice(kept);
    else await freeSlot(slot);
  };

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

  /** Tells how much of its prompt a slot has read. One that reads it again, alone, has told it before. */
  const tellPortion = ({ task, pending, suspect }: Slot) => {
    if (task === null || suspect) return;
    const totalTokens = task.prompt.length;
    reports.tell(task, [{ type: 'progress', stage: 'prompt', readTokens: totalTokens - pending.length, totalTokens }]);
  };

  /** One bad item fails its whole batch. The innocent are evaluated anew, alone, and go on where they were. */
  const retryAlone = async (slot: Slot, reason: unknown, batchSize: number) => {
    if (batchSize === 1 || slot.suspect) {
      await reports.fail(slot, reason);
      return;
    }
    const task = slot.task!;
    await slot.generation?.stop();
    await slot.sequence.reset();
    slot.generation = null;
    slot.suspect = true;
    slot.pending = [...task.prompt, ...task.settings.generated];
  };

  return async () => {
    const { taking, shares, decoding, depth } = plan();
    for (const slot of slots) if (slot.sequence.draft) slot.sequence.draft.limit = draftLimit(slot, decoding);
    deps.threads.use(shares.size > 0 ? 'prefill' : 'decode');
    const report: StepReport = {
      sequences: 0,
      decoded: [],
      promptTokens: 0,
      prefixes: reports.takePrefixes(),
      drafts: { proposed: 0, accepted: 0 },
      milliseconds: 0,
      endedMs: 0,
    };
    const startedMs = deps.nowMs();
    // Everything is queued in one tick and in slot order, so that it lands in one decode call.
    const running: { slot: Slot; result: Promise<Outcome> }[] = [];
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
      else if (outcome.value === null) tellPortion(slot);
      else if (Array.isArray(outcome.value)) await acceptShares(slot, slot.task!.scoring!, outcome.value);
      else {
        await accept(slot, outcome.value, report);
        const drained = await drain(slot, report);
        report.drafts.accepted += drained;
        generated += 1 + drained;
      }
    }
    // A checkpoint is taken before anything goes on; a prompt that is still read has no generation.
    for (const { slot } of running) {
      if (slot.task && !slot.generation && slot.sequence.needsCheckpoints && isAtStop(slots, slot)) {
        await slot.sequence.checkpoint();
      }
    }
    report.drafts.proposed = slots.reduce((sum, slot) => sum + (slot.sequence.draft?.takeProposed() ?? 0), 0);
    const { proposed } = report.drafts;
    if (report.promptTokens === 0) drafts.observe({ ...report, active: decoding, proposed, generated });
    return running.length > 0 ? report : null;
  };
}
