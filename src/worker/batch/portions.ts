import type { Slot } from './slots.ts';

/** Reading fewer tokens than this costs less than a checkpoint. */
const minCheckpointTokens = 64;

/** Every how many portions the prompt that came first has its turn, whatever is left of it. */
const firstComeEvery = 4;

/**
 * Slots that read a prompt, the one to be served next first. `portion`: number of the portion. The prompt of which least is
 * left comes first, of equal ones the older: a short one does not wait for a long one, and several long ones are done
 * one after the other, in half the time on average of all of them side by side. Every fourth portion goes to the
 * prompt that came first, so that none waits for ever.
 */
export function prefillOrder(slots: readonly Slot[], portion: number): Slot[] {
  const isForFirst = portion % firstComeEvery === 0;
  return slots
    .filter((slot) => slot.task && slot.pending.length > 0)
    .sort((a, b) => (isForFirst ? 0 : a.pending.length - b.pending.length) || a.arrival - b.arrival);
}

/** Shares of `budgetTokens` prompt tokens for slots in the order in which they are served. */
export function sharePrefill(slots: readonly Slot[], order: readonly Slot[], budgetTokens: number): Map<Slot, number> {
  let left = budgetTokens;
  const shares = new Map<Slot, number>();
  for (const slot of order) {
    const share = Math.min(slot.pending.length, left, nextStop(slots, slot) - slot.sequence.length);
    if (share <= 0) continue;
    shares.set(slot, share);
    left -= share;
  }
  return shares;
}

/** Where a follower of a slot wants to take over next, or a checkpoint is due: the prefill stops exactly there once. */
function nextStop(slots: readonly Slot[], leader: Slot): number {
  const lengths = [
    ...leader.checkpointLengths,
    leader.task?.scoring?.sharedTokens ?? 0,
    ...slots.map(({ follows }) => (follows?.leader === leader ? follows.length : 0)),
  ];
  return Math.min(...lengths.filter((length) => length > leader.sequence.length));
}

/** Whether a slot's prefill has come to a place that others go on from. */
export function isAtStop(slots: readonly Slot[], slot: Slot): boolean {
  const { length } = slot.sequence;
  return (
    slot.checkpointLengths.includes(length) ||
    slots.some(({ follows }) => follows?.leader === slot && follows.length === length)
  );
}

/**
 * Where a slot takes checkpoints while it reads its prompt, on models whose state cannot be cut elsewhere: where the
 * prompt diverged from an earlier one, as the next one will do; at the end of what is pinned; and before its last token,
 * from where the same prompt and most next turns go on.
 */
export function checkpointLengthsOf({ task, sequence, divergence }: Slot): number[] {
  if (!task || !sequence.needsCheckpoints || task.cache.mode === 'none') return [];
  if (task.scoring) return [task.scoring.sharedTokens].filter((length) => length >= minCheckpointTokens);
  const lengths = [divergence, task.cache.pinTokens, task.prompt.length - 1];
  return lengths.filter((length) => length >= minCheckpointTokens && length < task.prompt.length);
}
