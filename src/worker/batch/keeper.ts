import type { PrefixStore, StoredPrefix } from '../prefix/prefix-store.ts';
import { minReuseTokens, type Slot, type Worth } from './slots.ts';

/** Reading fewer tokens than this costs less than a file. */
const minKeptTokens = 64;

/** What of the slots' states outlives them: decides what is worth keeping, and keeps it before it is lost. */
export interface Keeper {
  /** The stored state that saves the most of a slot's prompt, or null. */
  find(slot: Slot): StoredPrefix | null;
  /** Once a prompt is read: what it cost, and who pins it, tells whether its state is worth keeping. */
  note(slot: Slot): void;
  /** Keeps a state that is worth it, before the slot loses it. Never rejects. */
  persist(slot: Slot): Promise<void>;
  close(): Promise<void>;
}

/** `prefixes`: where states are kept, or null. `log` takes lines for the operator. */
export function createKeeper(deps: {
  prefixes: PrefixStore | null;
  nowMs: () => number;
  log: (line: string) => void;
}): Keeper {
  const { prefixes } = deps;

  /** What of a prompt is kept without what followed it, which is of no use to others; null: nothing. */
  const cutOf = (slot: Slot, isSeen: boolean): Worth['cut'] => {
    const { pinTokens } = slot.job!.cache;
    if (pinTokens > 0 && heldAs(slot, pinTokens) !== 'pinned') return { tokens: pinTokens, pinned: true };
    // Where a stored state cannot be cut, the beginning that came twice is worth more than one prompt's end.
    const isOfUse = isSeen && partsLate(slot) && heldAs(slot, slot.parting) === null;
    return isOfUse ? { tokens: slot.parting, pinned: false } : null;
  };

  const heldAs = ({ job }: Slot, tokens: number) =>
    prefixes?.holds(job!.prompt.slice(0, tokens), job!.cache.owner) ?? null;

  const partsLate = ({ sequence, parting }: Slot) => sequence.needsCheckpoints && parting >= minKeptTokens;

  /** Most of the prompt is there already, and its end would only be of use to this one conversation. */
  const isCovered = (slot: Slot) =>
    partsLate(slot) && 2 * slot.parting >= slot.job!.prompt.length && heldAs(slot, slot.parting) !== null;

  const saveCut = async ({ sequence, worth, owner }: Slot, cut: NonNullable<Worth['cut']>) => {
    const prefix = sequence.tokens().slice(0, cut.tokens + 1);
    if ((await sequence.adapt(prefix)) !== cut.tokens) return;
    const prefillMs = worth!.msPerToken * cut.tokens;
    await prefixes?.save(sequence, { prefillMs, owner: owner!, pinned: cut.pinned });
  };

  return {
    find({ job }) {
      return job && job.cache.mode === 'keep' ? (prefixes?.find(job.prompt, job.cache.owner) ?? null) : null;
    },
    note(slot) {
      const { prompt, cache } = slot.job!;
      if (prefixes === null || cache.mode === 'none') return;
      const evaluated = prompt.length - slot.begun.kept;
      const spentMs = deps.nowMs() - slot.begun.atMs;
      // A few tokens say little about the cost of all of them.
      const prefillMs = evaluated < minReuseTokens ? 0 : (spentMs / evaluated) * prompt.length;
      const isSeen = prefixes.note(prompt, prefillMs, cache.owner);
      const cut = cutOf(slot, isSeen);
      // Without a state put aside there, all of it would be lost for nothing.
      const canCut = cut && slot.sequence.reusablePrefix(prompt.slice(0, cut.tokens + 1)) === cut.tokens;
      const whole = isSeen && !(canCut && !cut.pinned) && !isCovered(slot);
      if (whole || canCut) slot.worth = { msPerToken: prefillMs / prompt.length, whole, cut: canCut ? cut : null };
    },
    async persist(slot) {
      const { worth, owner, sequence } = slot;
      try {
        if (worth && owner !== null) {
          const prefillMs = worth.msPerToken * sequence.length;
          if (worth.whole) await prefixes?.save(sequence, { prefillMs, owner, pinned: false });
          if (worth.cut) await saveCut(slot, worth.cut);
        }
      } catch (error) {
        deps.log(`slot ${slot.index}: its state could not be kept: ${String(error)}`);
        await sequence.reset();
      }
      slot.worth = null;
    },
    async close() {
      await prefixes?.close();
    },
  };
}
