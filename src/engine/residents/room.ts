import type { LoadOutcome, LoadPlan, LoadRefusal } from '../memory/memory.ts';

/** A model that takes memory now. */
export interface Occupant {
  id: string;
  /** `leaving`: its process is on the way out; `pinned`: it stays, whether it works or not. */
  state: 'idle' | 'busy' | 'leaving' | 'pinned';
  /** Measured physical memory, which its end would give back. */
  bytes: number;
  /** When it was last used; only the order counts. */
  usedAtMs: number;
  /** People have asked it for something; left out: nobody has who waited. */
  isOfPeople?: boolean;
}

/** What a load has to do next to get its memory. */
type RoomDecision =
  | { type: 'load'; plan: LoadPlan }
  | { type: 'refuse'; refusal: LoadRefusal }
  /** End this idle model, wait for its exit, and decide again. */
  | { type: 'evict'; id: string }
  /** Wait for the exit of a model that is leaving, and decide again. */
  | { type: 'await-exit'; id: string }
  /** Only working models are in the way: wait until one has finished, and decide again. */
  | { type: 'await-idle' };

/**
 * Decides how a load gets its memory. `plan` plans with the memory of this moment plus that many bytes.
 * Idle models go, least recently used first, as long as that gives the load a better plan; working models never do.
 * Pure; reads no clock and no machine state.
 */
export function decideRoom(
  plan: (reclaimableBytes: number) => LoadOutcome,
  occupants: readonly Occupant[],
): RoomDecision {
  const bytesOf = (list: readonly Occupant[]) => list.reduce((sum, occupant) => sum + occupant.bytes, 0);
  const idle = occupants.filter(({ state }) => state === 'idle').sort((a, b) => a.usedAtMs - b.usedAtMs);
  const leaving = occupants.filter(({ state }) => state === 'leaving');
  const now = plan(0);
  const isForcedBeside = now.type === 'plan' && now.isForced && idle.length + leaving.length > 0;
  // 1. The memory of this moment gives all that the idle models' memory could give. What is too much gets theirs first.
  if (now.type === 'plan' && !isForcedBeside && !isBetter(plan(bytesOf([...idle, ...leaving])), now))
    return { type: 'load', plan: now };
  // 2. It would not fit even with every other model gone that may go.
  if (now.type === 'refusal') {
    const alone = plan(bytesOf(occupants.filter(({ state }) => state !== 'pinned')));
    if (alone.type === 'refusal') return { type: 'refuse', refusal: alone };
  }
  // 3. Somebody is on the way out, or can be sent.
  if (leaving[0]) return { type: 'await-exit', id: leaving[0].id };
  if (idle[0]) return { type: 'evict', id: idle[0].id };
  // 4. Only working models are left: take less, or wait.
  return now.type === 'plan' ? { type: 'load', plan: now } : { type: 'await-idle' };
}

/** Whether a plan gives more slots, context or batch, or a finer cache, than another. */
function isBetter(plan: LoadOutcome, than: LoadPlan): boolean {
  return (
    plan.type === 'plan' &&
    (plan.slots > than.slots ||
      plan.contextTokens > than.contextTokens ||
      plan.batchTokens > than.batchTokens ||
      (plan.kvType === 'f16' && than.kvType !== 'f16'))
  );
}
