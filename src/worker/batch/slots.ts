import type { Task } from '../answer/answer.ts';
import type { CachedSlot, CacheUse } from '../prefix/prefix.ts';
import type { Generation, Sequence } from '../sequence/sequence.ts';

/** One place in the batch: a sequence for ever, and the task it works on. Owned by the loop. */
export interface Slot extends CachedSlot {
  task: Task | null;
  /** Prompt tokens that are not evaluated yet. */
  pending: number[];
  generation: Generation | null;
  /** The slot whose prefill this one waits for, to take over its first `length` tokens. */
  follows: { leader: Slot; task: Task; length: number } | null;
  /** Number of its task, in the order in which tasks got their slots. */
  arrival: number;
  /** Its batch failed once: it is tried again, alone. */
  suspect: boolean;
  begun: { atMs: number; kept: number };
  divergence: number;
  /** Lengths at which the prompt's evaluation stops once, for a checkpoint. */
  checkpointLengths: readonly number[];
  owner: string | null;
}

/** Free slots over the sequences, in their order. */
export function createSlots(sequences: readonly Sequence[]): Slot[] {
  return sequences.map((sequence, index) => ({
    index,
    sequence,
    task: null,
    pending: [],
    generation: null,
    follows: null,
    arrival: 0,
    suspect: false,
    begun: { atMs: 0, kept: 0 },
    divergence: 0,
    checkpointLengths: [],
    owner: null,
    retention: null,
  }));
}

/** Takes the task off a slot; the state stays, for the next one that begins alike. */
export async function freeSlot(slot: Slot): Promise<void> {
  const { generation } = slot;
  slot.task = null;
  slot.pending = [];
  slot.generation = null;
  slot.follows = null;
  slot.checkpointLengths = [];
  slot.suspect = false;
  await generation?.stop();
}

/** Whether a slot's state may be used for a request: nothing of it, not even its speed, tells what others asked. */
export function mayServe(slot: Slot, cache: CacheUse): boolean {
  return cache.mode === 'keep' && slot.owner === cache.owner;
}
