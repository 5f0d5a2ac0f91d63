import type { Task } from '../answer/answer.ts';
import type { PrefixCache } from '../prefix/prefix.ts';
import { commonLength } from '../sequence/sequence.ts';
import { chooseLeader, divergenceOf, minReuseTokens, placementOf } from './placement.ts';
import type { SlotStart } from './slot-start.ts';
import { mayServe, type Slot } from './slots.ts';
import { steadyLength } from './steady.ts';

/** Reading a state from the disk has a price of its own. */
const minRestoreTokens = 64;

/** Where the beginning of each prompt comes from, so that none is computed twice. */
interface PrefixSharing {
  /**
   * Gives waiting tasks, the first one first, to free slots while there are any, and takes them off the list. Ends with one
   * that begins on a copy, which is made with the next step.
   */
  admit(waiting: Task[]): Promise<void>;
  /** Takes the shared prefix over where the leader has it, and goes on alone where the leader is gone. True after a copy. */
  advanceFollowers(): Promise<boolean>;
}

/**
 * A prompt begins on the state that saves the most of it: what a free slot holds, what another slot is just reading, or
 * what is stored. The one that waits for another slot, its leader, takes the state over when it is there.
 */
export function createPrefixSharing(deps: {
  slots: readonly Slot[];
  cache: Pick<PrefixCache, 'find'>;
  start: SlotStart;
}): PrefixSharing {
  const { slots, start } = deps;
  let arrivals = 0;

  /** A leader that went early leaves its other followers to the first of them: they must not all do its work. */
  const followHeir = (heir: Slot, gone: Slot) => {
    for (const slot of slots) {
      if (!heir.task || !slot.task || slot.follows?.leader !== gone) continue;
      slot.follows = { leader: heir, task: heir.task, length: commonLength(heir.task.prompt, slot.task.prompt) };
    }
  };

  return {
    async admit(waiting) {
      while (waiting.length > 0) {
        const placement = placementOf(slots, waiting[0]!);
        if (!placement) return;
        const task = waiting.shift()!;
        const { slot, copy } = placement;
        const saved = Math.max(placement.saved, copy?.length ?? 0);
        const lead = chooseLeader(slots, task, saved);
        slot.divergence = divergenceOf(slots, task);
        // Taken before the first await: a cancel that arrives meanwhile must find its task.
        slot.task = task;
        slot.arrival = ++arrivals;
        const stored = deps.cache.find(slot);
        if (stored && stored.length >= Math.max(saved, lead?.length ?? 0) + minRestoreTokens) {
          await start.onStored(slot, stored);
        } else if (lead) slot.follows = { ...lead, task: lead.leader.task! };
        else if (!copy) await start.onOwnState(slot);
        // Nobody else comes in before it is made: a state loaded into its source, or cut there, would be copied instead.
        else if (await start.onCopy(slot, copy.source, copy.length)) return;
      }
    },
    async advanceFollowers() {
      let hasCopied = false;
      for (const slot of slots) {
        if (!slot.task || !slot.follows) continue;
        const { leader, task, length } = slot.follows;
        // While a leader waits for a leader of its own, its slot still holds an older conversation.
        if (leader.task === task && (leader.follows || leader.sequence.length < length)) continue;
        // So does the slot of one that went before it began: only what is really this prompt's beginning may be copied.
        // And only what this request may use: that conversation may be somebody else's.
        const common = mayServe(leader, slot.task.cache) ? commonLength(leader.sequence.tokens(), slot.task.prompt) : 0;
        const held = leader.sequence.copyable(steadyLength(slot.task, Math.min(length, common), length));
        if (await start.onCopy(slot, leader, held < minReuseTokens ? 0 : held)) hasCopied = true;
        if (held < length) followHeir(slot, leader);
      }
      return hasCopied;
    },
  };
}
