import type { StepReport } from '../../ipc/protocol.ts';
import type { PrefixCache } from '../prefix/prefix.ts';
import type { GeneratedToken } from '../sequence/sequence.ts';
import { freeSlot, type Slot } from './slots.ts';
import type { TaskReports } from './task-reports.ts';

/** What came of one slot's part: a token was chosen, shares were, or part of a prompt was read. */
export type Outcome = GeneratedToken | number[] | null;

/** Takes what came of a step over into slots and tasks. */
export interface StepOutcomes {
  /** Returns the tokens that came of it, those that had been guessed included. */
  take(slot: Slot, outcome: Outcome, report: StepReport): Promise<number>;
  /** One bad item fails its whole batch. The innocent are evaluated anew, alone, and go on where they were. */
  retryAlone(slot: Slot, reason: unknown, batchSize: number): Promise<void>;
}

export function createStepOutcomes(deps: {
  cache: Pick<PrefixCache, 'note'>;
  reports: Pick<TaskReports, 'tell' | 'fail'>;
}): StepOutcomes {
  const { cache, reports } = deps;

  /** Tells how much of its prompt a slot has read. One that reads it again, alone, has told it before. */
  const tellPortion = ({ task, pending, suspect }: Slot) => {
    if (task === null || suspect) return;
    const totalTokens = task.prompt.length;
    reports.tell(task, [{ type: 'progress', stage: 'prompt', readTokens: totalTokens - pending.length, totalTokens }]);
  };

  /** A prompt of a task that wants no tokens was read: the slot goes back to what the next one has in common with it. */
  const takeShares = async (slot: Slot, shares: readonly number[]) => {
    const task = slot.task!;
    const scoring = task.scoring!;
    if (scoring.read === 0) cache.note(slot);
    const read = task.prompt;
    const { goesOn, keptTokens } = scoring.take(shares);
    const kept = await slot.sequence.adapt(read.slice(0, keptTokens + 1));
    if (goesOn) slot.pending = task.prompt.slice(kept);
    else await freeSlot(slot);
  };

  /** Whether the answer goes on. */
  const takeToken = (slot: Slot, token: GeneratedToken, report: StepReport): boolean => {
    const task = slot.task!;
    const before = task.settings.generated.length;
    if (before === 0 && !slot.suspect) cache.note(slot);
    slot.suspect = false;
    const { events, finished } = task.accept(token);
    reports.tell(task, events);
    // The end token is no token of the answer.
    if (task.settings.generated.length > before) report.decoded.push(task.id);
    return !finished;
  };

  /** The step's own token, and those that its guesses already made: the slot must not lag behind its own state. */
  const takeTokens = async (slot: Slot, first: GeneratedToken, report: StepReport): Promise<number> => {
    const { draft } = slot.sequence;
    // No step gives more than it guessed: beyond that, `next()` would decode, and everybody else would wait for it.
    const most = 1 + (draft?.limit ?? 0);
    let taken = 1;
    let goesOn = takeToken(slot, first, report);
    while (goesOn && taken < most && draft!.ready > 0) {
      goesOn = takeToken(slot, await slot.generation!.next(), report);
      taken++;
    }
    if (!goesOn) await freeSlot(slot);
    report.drafts.accepted += taken - 1;
    return taken;
  };

  return {
    async take(slot, outcome, report) {
      if (outcome === null) tellPortion(slot);
      else if (Array.isArray(outcome)) await takeShares(slot, outcome);
      else return takeTokens(slot, outcome, report);
      return 0;
    },
    async retryAlone(slot, reason, batchSize) {
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
    },
  };
}
