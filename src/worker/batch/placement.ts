import type { Task } from '../answer/answer.ts';
import type { CacheUse } from '../prefix/prefix.ts';
import { commonLength } from '../sequence/sequence.ts';
import { mayServe, type Slot } from './slots.ts';
import { steadyLength } from './steady.ts';

/** A shared or reused prefix shorter than this is not worth leaving the lowest free slot or waiting for a leader. */
export const minReuseTokens = 16;

/**
 * The free slot that saves the most of a prompt, or the lowest free one; null when none is free. A task whose steps are its
 * own need not stand beside others: it looks at what is lost too.
 */
export function chooseSlot(slots: readonly Slot[], task: Task): { slot: Slot; saved: number } | null {
  const { prompt, cache } = task;
  let chosen: { slot: Slot; saved: number; worth: number } | null = null;
  for (const slot of slots) {
    if (slot.task) continue;
    const held = mayServe(slot, cache) ? slot.sequence.reusablePrefix(prompt) : 0;
    const prefix = steadyLength(task, held, slot.sequence.length);
    const saved = prefix < minReuseTokens ? 0 : prefix;
    const worth = task.scoring ? saved - (slot.sequence.length - saved) : saved;
    if (!chosen || worth > chosen.worth) chosen = { slot, saved, worth };
  }
  return chosen;
}

/** The working slot whose prompt begins like this one for longer than `saved`, if waiting for it pays. */
export function chooseLeader(
  slots: readonly Slot[],
  task: Task,
  saved: number,
): { leader: Slot; length: number } | null {
  const { prompt, cache } = task;
  let best: { leader: Slot; length: number } | null = null;
  for (const leader of slots) {
    if (!leader.task || leader.suspect || !mayShare(leader.task.cache, cache)) continue;
    const alike = commonLength(leader.task.prompt, prompt);
    const common = steadyLength(task, alike, leader.task.scoring?.sharedTokens ?? alike);
    const isPast = !leader.follows && leader.sequence.length > common;
    const length = isPast ? leader.sequence.copyable(common) : common;
    if (length >= Math.max(saved + minReuseTokens, (best?.length ?? 0) + 1)) best = { leader, length };
  }
  return best;
}

/** Whether two requests may have one prefill. */
function mayShare(one: CacheUse, other: CacheUse): boolean {
  return one.mode === 'keep' && other.mode === 'keep' && one.owner === other.owner;
}

/** The most that a prompt has in common with what the slots hold that may serve it; of use where checkpoints are needed. */
export function divergenceOf(slots: readonly Slot[], { prompt, cache }: Task): number {
  const lengths = slots
    .filter((slot) => slot.sequence.needsCheckpoints && mayServe(slot, cache))
    .map(({ sequence }) => commonLength(sequence.tokens(), prompt));
  return Math.max(0, ...lengths);
}
