import type { Task } from '../answer/answer.ts';
import type { CacheUse } from '../prefix/prefix.ts';
import { commonLength } from '../sequence/sequence.ts';
import { mayServe, type Slot } from './slots.ts';
import { steadyLength } from './steady.ts';

/** A shared or reused prefix shorter than this is not worth leaving the lowest free slot or waiting for a leader. */
export const minReuseTokens = 16;

/** A free slot for a task, and how much of its prompt is there. */
export interface Placement {
  slot: Slot;
  /** Tokens of the prompt that its own state begins with. */
  saved: number;
  /** The free slot whose state begins with more of it, and how much of that can be copied; null: its own is as good. */
  copy: { source: Slot; length: number } | null;
}

/**
 * A free slot for a task; null when none is. A slot that holds most of what the prompt goes on from stays the
 * conversation's own. Any other prompt, that of a side request or of somebody else, must not cost a conversation more than it
 * gains: it goes to an empty slot, the lowest, or to the one that was asked longest ago, with a copy of what another one
 * holds of it. A task whose steps are its own looks only at what it gains and what is lost.
 */
export function placementOf(slots: readonly Slot[], task: Task): Placement | null {
  const free = slots.filter((slot) => !slot.task).map((slot) => ({ slot, ...heldOf(slot, task) }));
  if (free.length === 0) return null;
  if (task.scoring) return { ...mostOf(free, ({ saved, lost }) => saved - lost), copy: null };
  const best = mostOf(free, ({ saved }) => saved);
  if (best.saved > 0 && best.lost <= best.saved) return { slot: best.slot, saved: best.saved, copy: null };
  const { slot, saved } =
    free.find(({ slot }) => slot.sequence.length < minReuseTokens) ?? mostOf(free, (one) => -one.slot.arrival);
  const length = best.slot === slot ? 0 : best.slot.sequence.copyable(best.saved);
  const copy = length >= saved + minReuseTokens ? { source: best.slot, length } : null;
  return { slot, saved, copy };
}

/** What of a prompt a free slot's state has, and what of the state goes when the prompt takes it. */
function heldOf(slot: Slot, task: Task): { saved: number; lost: number } {
  const held = mayServe(slot, task.cache) ? slot.sequence.reusablePrefix(task.prompt) : 0;
  const prefix = steadyLength(task, held, slot.sequence.length);
  const saved = prefix < minReuseTokens ? 0 : prefix;
  return { saved, lost: slot.sequence.length - saved };
}

/** The first of those that are worth most. */
function mostOf<Item>(items: readonly Item[], worthOf: (item: Item) => number): Item {
  return items.reduce((best, item) => (worthOf(item) > worthOf(best) ? item : best));
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
