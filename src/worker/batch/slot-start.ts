import type { PrefixTier } from '../../ipc/protocol.ts';
import type { Task } from '../answer/answer.ts';
import type { PrefixCache, StoredPrefix } from '../prefix/prefix.ts';
import type { Sequence } from '../sequence/sequence.ts';
import { checkpointLengthsOf } from './portions.ts';
import { mayServe, type Slot } from './slots.ts';
import { steadyLength } from './steady.ts';
import type { TaskReports } from './task-reports.ts';

/** How the task of a slot begins: on the state that the slot holds, on a stored one, or on another slot's. */
export interface SlotStart {
  /** Begins on what the slot's own state already holds of the prompt; a failure fails the task. */
  onOwnState(slot: Slot): Promise<void>;
  /** Begins on a stored state, which is better than anything a slot holds; a failure fails the task. */
  onStored(slot: Slot, stored: StoredPrefix): Promise<void>;
  /**
   * Begins on the first `length` tokens of another slot's state. False when they could not be copied: the task then
   * begins on its own slot's state.
   */
  onCopy(slot: Slot, source: Slot, length: number): Promise<boolean>;
}

export function createSlotStart(deps: {
  cache: Pick<PrefixCache, 'retain'>;
  reports: Pick<TaskReports, 'began' | 'tell' | 'fail'>;
  nowMs: () => number;
}): SlotStart {
  const { reports } = deps;

  /** Hands a slot's state to its task: what is worth keeping is kept, what the task may not use is forgotten. */
  const handOver = async (slot: Slot) => {
    const { cache } = slot.task!;
    await deps.cache.retain(slot);
    if (!mayServe(slot, cache)) await slot.sequence.reset();
    slot.owner = cache.mode === 'keep' ? cache.owner : null;
  };

  const begin = (slot: Slot, kept: number, tier: PrefixTier) => {
    const task = slot.task!;
    slot.follows = null;
    slot.begun = { atMs: deps.nowMs(), kept };
    slot.pending = task.prompt.slice(kept);
    slot.checkpointLengths = checkpointLengthsOf(slot);
    reports.began(kept === 0 ? 'none' : tier);
    reports.tell(task, task.begin(kept));
  };

  const keepBeginning = async (sequence: Sequence, task: Task) => {
    const { prompt } = task;
    if (!task.scoring) return sequence.adapt(prompt);
    const length = steadyLength(task, sequence.reusablePrefix(prompt), sequence.length);
    return sequence.adapt(prompt.slice(0, length + 1));
  };

  const onOwnState = async (slot: Slot, tier: PrefixTier = 'slot') => {
    try {
      await handOver(slot);
      begin(slot, await keepBeginning(slot.sequence, slot.task!), tier);
    } catch (error) {
      await reports.fail(slot, error);
    }
  };

  return {
    onOwnState: (slot) => onOwnState(slot),
    async onStored(slot, stored) {
      try {
        await handOver(slot);
        if (!(await stored.load(slot.sequence))) await slot.sequence.reset();
      } catch (error) {
        await reports.fail(slot, error);
        return;
      }
      await onOwnState(slot, 'disk');
    },
    async onCopy(slot, source, length) {
      try {
        // The copy replaces whatever the slot held until now.
        await handOver(slot);
        if (length > 0 && (await slot.sequence.copyFrom(source.sequence, length))) {
          begin(slot, length, 'ram');
          return true;
        }
      } catch (error) {
        await reports.fail(slot, error);
        return false;
      }
      await onOwnState(slot);
      return false;
    },
  };
}
