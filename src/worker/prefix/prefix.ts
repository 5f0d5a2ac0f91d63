import type { Sequence } from '../sequence/sequence.ts';
import type { PrefixStore, StoredPrefix } from './prefix-store.ts';

export { openPrefixStore, type PrefixStore, type StateFormat, type StoredPrefix, sharedOwner } from './prefix-store.ts';

/** What may be reused for a prompt, and what is kept of it. */
export interface CacheUse {
  /** Only states of the same owner are used. */
  owner: string;
  /** `none`: the prompt is computed anew, and its state serves nobody else. */
  mode: 'keep' | 'none';
  /** Leading tokens of the prompt whose state is kept whatever they cost; 0: none. */
  pinTokens: number;
}

/** What of a slot's state is worth keeping: as it stands, or the first tokens of its prompt alone, or both. */
interface Retention {
  /** Cost of a prompt token without reuse; 0 when not known. */
  msPerToken: number;
  asItStands: boolean;
  cut: { tokens: number; pinned: boolean } | null;
}

/** A slot as the prefix cache sees it. */
export interface CachedSlot {
  readonly index: number;
  readonly sequence: Sequence;
  readonly task: { readonly prompt: readonly number[]; readonly cache: CacheUse } | null;
  /** When the prompt's evaluation began, and how much of it was there already. */
  readonly begun: { atMs: number; kept: number };
  /** Tokens that the prompt has in common with what some slot held when it came: where prompts diverge. */
  readonly divergence: number;
  /** Whose requests the state may serve; null: nobody's. */
  readonly owner: string | null;
  /** What of the state is to be kept beyond the slot; null: nothing, or it is stored. */
  retention: Retention | null;
}

/** Reading fewer tokens than this costs less than a file. */
const minKeptTokens = 64;

/** The evaluation of fewer tokens than this says little about the cost of a prompt. */
const minTimedTokens = 16;

/** What of the slots' states outlives them: decides what is worth keeping, and stores it before it is lost. */
export interface PrefixCache {
  /** The stored state that saves the most of a slot's prompt, or null. */
  find(slot: CachedSlot): StoredPrefix | null;
  /** Once a prompt is read: what it cost, and who pins it, tells whether its state is worth keeping. */
  note(slot: CachedSlot): void;
  /** Stores what of a state is worth it, before the slot loses it. Never rejects. */
  retain(slot: CachedSlot): Promise<void>;
  close(): Promise<void>;
}

/** `store`: where states are kept, or null: nothing outlives its slot then. `log` takes lines for the operator. */
export function createPrefixCache(deps: {
  store: PrefixStore | null;
  nowMs: () => number;
  log: (line: string) => void;
}): PrefixCache {
  const { store } = deps;

  /** What of a prompt is kept without what followed it, which is of no use to others; null: nothing. */
  const cutOf = (slot: CachedSlot, isSeen: boolean): Retention['cut'] => {
    const { pinTokens } = slot.task!.cache;
    if (pinTokens > 0 && heldAs(slot, pinTokens) !== 'pinned') return { tokens: pinTokens, pinned: true };
    // Where a stored state cannot be cut, the beginning that came twice is worth more than one prompt's end.
    const isOfUse = isSeen && divergesLate(slot) && heldAs(slot, slot.divergence) === null;
    return isOfUse ? { tokens: slot.divergence, pinned: false } : null;
  };

  const heldAs = ({ task }: CachedSlot, tokens: number) =>
    store?.holds(task!.prompt.slice(0, tokens), task!.cache.owner) ?? null;

  const divergesLate = ({ sequence, divergence }: CachedSlot) =>
    sequence.needsCheckpoints && divergence >= minKeptTokens;

  /** Most of the prompt is there already, and its end would only be of use to this one conversation. */
  const isCovered = (slot: CachedSlot) =>
    divergesLate(slot) && 2 * slot.divergence >= slot.task!.prompt.length && heldAs(slot, slot.divergence) !== null;

  const saveCut = async ({ sequence, retention, owner }: CachedSlot, cut: NonNullable<Retention['cut']>) => {
    const prefix = sequence.tokens().slice(0, cut.tokens + 1);
    if ((await sequence.adapt(prefix)) !== cut.tokens) return;
    const prefillMs = retention!.msPerToken * cut.tokens;
    await store?.save(sequence, { prefillMs, owner: owner!, pinned: cut.pinned });
  };

  return {
    find({ task }) {
      return task && task.cache.mode === 'keep' ? (store?.find(task.prompt, task.cache.owner) ?? null) : null;
    },
    note(slot) {
      const { prompt, cache } = slot.task!;
      if (store === null || cache.mode === 'none') return;
      const evaluated = prompt.length - slot.begun.kept;
      const spentMs = deps.nowMs() - slot.begun.atMs;
      const prefillMs = evaluated < minTimedTokens ? 0 : (spentMs / evaluated) * prompt.length;
      const isSeen = store.note(prompt, prefillMs, cache.owner);
      const cut = cutOf(slot, isSeen);
      // Without a checkpoint there, all of the state would be lost for nothing.
      const canCut = cut && slot.sequence.reusablePrefix(prompt.slice(0, cut.tokens + 1)) === cut.tokens;
      const asItStands = isSeen && !(canCut && !cut.pinned) && !isCovered(slot);
      if (!asItStands && !canCut) return;
      slot.retention = { msPerToken: prefillMs / prompt.length, asItStands, cut: canCut ? cut : null };
    },
    async retain(slot) {
      const { retention, owner, sequence } = slot;
      try {
        if (retention && owner !== null) {
          const prefillMs = retention.msPerToken * sequence.length;
          if (retention.asItStands) await store?.save(sequence, { prefillMs, owner, pinned: false });
          if (retention.cut) await saveCut(slot, retention.cut);
        }
      } catch (error) {
        deps.log(`slot ${slot.index}: its state could not be kept: ${String(error)}`);
        await sequence.reset();
      }
      slot.retention = null;
    },
    async close() {
      await store?.close();
    },
  };
}
