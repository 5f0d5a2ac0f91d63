import type { PrefixStore, StoredPrefix } from './prefix-store.ts';
import { minReuseTokens, type Slot } from './slots.ts';

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

  /** A pinned prefix is kept without what followed it, which is other people's and other prompts' business. */
  const savePinned = async (slot: Slot, owner: string, pinTokens: number, prefillMs: number) => {
    const { sequence } = slot;
    const prefix = sequence.tokens().slice(0, pinTokens + 1);
    // Without a mark there, a state that cannot be cut would be lost for nothing.
    if (sequence.reusablePrefix(prefix) !== pinTokens) return;
    if ((await sequence.adapt(prefix)) === pinTokens)
      await prefixes?.save(sequence, { prefillMs, owner, pinned: true });
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
      const whole = prefixes.note(prompt, prefillMs, cache.owner);
      const { pinTokens } = cache;
      const pins = pinTokens > 0 && !prefixes.isPinned(prompt.slice(0, pinTokens), cache.owner);
      if (!whole && !pins) return;
      slot.worth = { prefillMs, whole, pin: pins ? { tokens: pinTokens, ofTokens: prompt.length } : null };
    },
    async persist(slot) {
      const { worth, owner } = slot;
      slot.worth = null;
      if (worth === null || owner === null) return;
      const { prefillMs, whole, pin } = worth;
      try {
        if (whole) await prefixes?.save(slot.sequence, { prefillMs, owner, pinned: false });
        if (pin) await savePinned(slot, owner, pin.tokens, (prefillMs * pin.tokens) / pin.ofTokens);
      } catch (error) {
        deps.log(`slot ${slot.index}: its state could not be kept: ${String(error)}`);
        await slot.sequence.reset();
      }
    },
    async close() {
      await prefixes?.close();
    },
  };
}
