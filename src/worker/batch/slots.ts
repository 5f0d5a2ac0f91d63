import type { Sampling } from '../../core/chat.ts';
import type { CacheUse, Job } from '../answer/job.ts';
import type { Generation, Sequence } from '../sequence/sequence.ts';

/** A shared or reused prefix shorter than this is not worth leaving the lowest free slot or waiting for a leader. */
export const minReuseTokens = 16;

/** Reading fewer tokens than this costs less than a state that is put aside. */
const minMarkTokens = 64;

/** One place in the batch: a sequence for ever, and the job it works on. Owned by the loop. */
export interface Slot {
  readonly index: number;
  readonly sequence: Sequence;
  job: Job | null;
  /** Prompt tokens that are not evaluated yet. */
  pending: number[];
  generation: Generation | null;
  /** The slot whose prefill this one waits for, to take over its first `length` tokens. */
  follows: { leader: Slot; job: Job; length: number } | null;
  /** Number of its job, in the order in which jobs got their slots. */
  arrival: number;
  /** Its batch failed once: it is tried again, alone. */
  suspect: boolean;
  /** When the prompt's evaluation began, and how much of it was there already. */
  begun: { atMs: number; kept: number };
  /** Tokens that the prompt has in common with what some slot held when it came; prompts part there. */
  parting: number;
  /** Lengths at which the prompt's evaluation stops once, to put the state aside. */
  marks: readonly number[];
  /** Whose requests the state may serve; null: nobody's. */
  owner: string | null;
  /** What of the state is worth keeping beyond the slot; null: nothing, or it is stored. */
  worth: Worth | null;
}

/** A state to keep: as it stands, or the first tokens of its prompt alone, or both. */
export interface Worth {
  /** Cost of a prompt token without reuse; 0 when not known. */
  msPerToken: number;
  whole: boolean;
  cut: { tokens: number; pinned: boolean } | null;
}

/** Free slots over the sequences, in their order. */
export function createSlots(sequences: readonly Sequence[]): Slot[] {
  return sequences.map((sequence, index) => ({
    index,
    sequence,
    job: null,
    pending: [],
    generation: null,
    follows: null,
    arrival: 0,
    suspect: false,
    begun: { atMs: 0, kept: 0 },
    parting: 0,
    marks: [],
    owner: null,
    worth: null,
  }));
}

/** The free slot that saves the most of a prompt, or the lowest free one; null when none is free. */
export function chooseSlot(slots: readonly Slot[], { prompt, cache }: Job): { slot: Slot; saved: number } | null {
  let chosen: { slot: Slot; saved: number } | null = null;
  for (const slot of slots) {
    if (slot.job) continue;
    const prefix = mayServe(slot, cache) ? slot.sequence.reusablePrefix(prompt) : 0;
    const saved = prefix < minReuseTokens ? 0 : prefix;
    if (!chosen || saved > chosen.saved) chosen = { slot, saved };
  }
  return chosen;
}

/** Whether a slot's state may be used for a request: nothing of it, not even its speed, tells what others asked. */
export function mayServe(slot: Slot, cache: CacheUse): boolean {
  return cache.mode === 'keep' && slot.owner === cache.owner;
}

/** The working slot whose prompt begins like this one for longer than `saved`, if waiting for it pays. */
export function chooseLeader(
  slots: readonly Slot[],
  { prompt, cache }: Job,
  saved: number,
): { leader: Slot; length: number } | null {
  let best: { leader: Slot; length: number } | null = null;
  for (const leader of slots) {
    if (!leader.job || leader.suspect || !sharesWith(leader.job.cache, cache)) continue;
    const common = commonLength(leader.job.prompt, prompt);
    const isPast = !leader.follows && leader.sequence.length > common;
    const length = isPast ? leader.sequence.copyable(common) : common;
    if (length >= Math.max(saved + minReuseTokens, (best?.length ?? 0) + 1)) best = { leader, length };
  }
  return best;
}

/** Whether two requests may have one prefill. */
function sharesWith(one: CacheUse, other: CacheUse): boolean {
  return one.mode === 'keep' && other.mode === 'keep' && one.owner === other.owner;
}

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
    .filter((slot) => slot.job && slot.pending.length > 0)
    .sort((a, b) => (isForFirst ? 0 : a.pending.length - b.pending.length) || a.arrival - b.arrival);
}

/** Shares of `budgetTokens` prompt tokens for slots in the order in which they are served. */
export function sharePrefill(slots: readonly Slot[], order: readonly Slot[], budgetTokens: number): Map<Slot, number> {
  let left = budgetTokens;
  const shares = new Map<Slot, number>();
  for (const slot of order) {
    const share = Math.min(slot.pending.length, left, nextMark(slots, slot) - slot.sequence.length);
    if (share <= 0) continue;
    shares.set(slot, share);
    left -= share;
  }
  return shares;
}

/** Where a follower of a slot wants to take over next, or its state is put aside: the prefill stops exactly there once. */
function nextMark(slots: readonly Slot[], leader: Slot): number {
  const lengths = [...leader.marks, ...slots.map(({ follows }) => (follows?.leader === leader ? follows.length : 0))];
  return Math.min(...lengths.filter((length) => length > leader.sequence.length));
}

/** Whether a slot's prefill has come to a place that others go on from. */
export function isAtMark(slots: readonly Slot[], slot: Slot): boolean {
  const { length } = slot.sequence;
  return (
    slot.marks.includes(length) || slots.some(({ follows }) => follows?.leader === slot && follows.length === length)
  );
}

/**
 * Where the state of a slot is put aside while it reads its prompt, on models that cannot be cut elsewhere: where it
 * parted from an earlier prompt, as the next one will do; at the end of what is pinned; and before its last token, from
 * where the same prompt and most next turns go on.
 */
export function marksOf({ job, sequence, parting }: Slot): number[] {
  if (!job || !sequence.needsCheckpoints || job.cache.mode === 'none') return [];
  const lengths = [parting, job.cache.pinTokens, job.prompt.length - 1];
  return lengths.filter((length) => length >= minMarkTokens && length < job.prompt.length);
}

/** The most that a prompt has in common with what the slots hold that may serve it. */
export function partingOf(slots: readonly Slot[], { prompt, cache }: Job): number {
  const lengths = slots
    .filter((slot) => slot.sequence.needsCheckpoints && mayServe(slot, cache))
    .map(({ sequence }) => commonLength(sequence.tokens(), prompt));
  return Math.max(0, ...lengths);
}

/** Tokens that two prompts have in common at the start; at least one of the second is left out, to be evaluated. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length - 1);
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}

/** Whether guesses change neither the text of a slot nor a seeded run. */
export function allowsDrafts({ settings }: Job): boolean {
  return settings.topLogprobs === null && samplesFreely(settings.sampling);
}

/**
 * Penalties would not see the guesses before them, and a seed promises the same text again, while a guess spends random
 * numbers of its own.
 */
function samplesFreely(sampling: Sampling): boolean {
  const { repeatPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, dry, xtc, seed, temperature } = sampling;
  const seeded = seed !== undefined && temperature !== 0;
  return repeatPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && !dry && !xtc && !seeded;
}
