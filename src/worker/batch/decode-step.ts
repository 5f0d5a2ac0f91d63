import type { StepReport } from '../../ipc/protocol.ts';
import type { DraftController } from '../draft/draft.ts';
import { allowsDrafts } from '../draft/draft.ts';
import type { PrefixCache } from '../prefix/prefix.ts';
import type { PrefillPacer } from './pacer.ts';
import { isAtStop } from './portions.ts';
import type { Slot } from './slots.ts';
import { isSteady } from './steady.ts';
import { createStepOutcomes, type Outcome } from './step-outcomes.ts';
import { createStepPlanner } from './step-plan.ts';
import type { StepThreads } from './step-threads.ts';
import type { TaskReports } from './task-reports.ts';

/** Runs one step of all slots that have work; null when none has. */
type DecodeStep = () => Promise<StepReport | null>;

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
  const { slots, pacer, drafts, reports, nowMs } = deps;
  const plan = createStepPlanner(deps);
  const outcomes = createStepOutcomes(deps);

  const draftLimit = ({ generation, task, sequence }: Slot, decoding: number): number => {
    if (!generation || !task || !allowsDrafts(task.settings) || isSteady(task)) return 0;
    // Beyond the context the library drops the oldest tokens without a word, and the answer would go on without an end.
    const room = deps.contextTokens - 2 - sequence.length;
    return Math.max(0, Math.min(drafts.limit(decoding), room));
  };

  return async () => {
    const { taking, shares, decoding, depth } = plan();
    for (const slot of slots) if (slot.sequence.draft) slot.sequence.draft.limit = draftLimit(slot, decoding);
    deps.threads.use(shares.size > 0 ? 'prefill' : 'decode');
    const report = newReport(reports.takePrefixes());
    const startedMs = nowMs();
    // Everything is queued in one tick and in slot order, so that it lands in one decode call.
    const running: { slot: Slot; result: Promise<Outcome> }[] = [];
    for (const slot of taking) {
      const result = issue(slot, shares.get(slot) ?? 0, report);
      if (result) running.push({ slot, result });
    }
    report.sequences = running.length;
    const settled = await Promise.allSettled(running.map(({ result }) => result));
    report.endedMs = nowMs();
    report.milliseconds = report.endedMs - startedMs;
    pacer.observe({ milliseconds: report.milliseconds, promptTokens: report.promptTokens, decoding, depth });
    let generated = 0;
    for (const [index, outcome] of settled.entries()) {
      const { slot } = running[index]!;
      if (outcome.status === 'fulfilled') generated += await outcomes.take(slot, outcome.value, report);
      else await outcomes.retryAlone(slot, outcome.reason, running.length);
    }
    // A checkpoint is taken before anything goes on; a prompt that is still read has no generation.
    for (const { slot } of running) {
      if (slot.task && !slot.generation && slot.sequence.needsCheckpoints && isAtStop(slots, slot)) {
        await slot.sequence.checkpoint();
      }
    }
    const proposed = slots.reduce((sum, slot) => sum + (slot.sequence.draft?.takeProposed() ?? 0), 0);
    report.drafts.proposed = proposed;
    const { milliseconds } = report;
    if (report.promptTokens === 0) drafts.observe({ milliseconds, active: decoding, proposed, generated });
    return running.length > 0 ? report : null;
  };
}

function newReport(prefixes: StepReport['prefixes']): StepReport {
  return {
    sequences: 0,
    decoded: [],
    promptTokens: 0,
    prefixes,
    drafts: { proposed: 0, accepted: 0 },
    milliseconds: 0,
    endedMs: 0,
  };
}

/** Issues one slot's part of the step, with `share` tokens of its prompt; null when it has none. */
function issue(slot: Slot, share: number, report: StepReport): Promise<Outcome> | null {
  if (slot.generation) return slot.generation.next();
  if (share === 0) return null;
  const chunk = slot.pending.slice(0, share);
  slot.pending = slot.pending.slice(share);
  report.promptTokens += share;
  if (slot.pending.length > 0) return slot.sequence.prefill(chunk).then(() => null);
  const { scoring, settings } = slot.task!;
  if (scoring) return slot.sequence.score(chunk, scoring.candidates);
  // The last chunk also samples the first token.
  slot.generation = slot.sequence.generate(chunk, settings);
  return slot.generation.next();
}
