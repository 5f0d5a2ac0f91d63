import type { LlamaContextSequence, Token } from 'node-llama-cpp';

/** Most checkpoints of one sequence; the one at the shortest length goes first. */
export const maxCheckpoints = 6;

/** Room for the checkpoints of all sequences. One is kept in each, whatever its size. */
const checkpointBytes = 256 * 1024 * 1024;

/** Options for a sequence that takes checkpoints only when it is told to. */
export const checkpointOptions = (slots: number) => ({
  max: maxCheckpoints,
  interval: false as const,
  maxMemory: Math.floor(checkpointBytes / slots),
});

/** Going back on models whose state cannot simply be cut: to lengths at which a copy of it was put aside. */
export interface Checkpoints {
  /** Whether the model needs them at all: it has a recurrent state or a sliding window. */
  readonly isNeeded: boolean;
  /** Puts the state aside as it is. Never rejects: without a checkpoint there is only more to compute. */
  take(): Promise<void>;
  /** How many leading tokens of `tokens` the state can be taken back to exactly, all or none of it included. */
  reusable(tokens: readonly number[]): number;
  /** Takes the state back to a length that `reusable` gave; returns the length that it has then. */
  cut(length: number): Promise<number>;
  /** How many of the first `length` tokens another sequence can take over. */
  copyable(length: number): number;
  /** Runs `copy`, which makes the sequence the first `length` tokens of another one, whose checkpoints come along. */
  copied(source: Checkpoints, copy: () => Promise<boolean>, length: number): Promise<boolean>;
  /** Lengths at which checkpoints are, ascending. */
  lengths(): readonly number[];
  /** Forgets the state with its checkpoints. */
  clear(): Promise<void>;
}

/** What a cut of the library asks first. Not public: looked for, never taken for granted. */
const firstCellMethod = 'getSequenceKvCacheMinPosition';

/** Keeps the checkpoints of one sequence of the library. */
export function createCheckpoints(native: LlamaContextSequence): Checkpoints {
  const { isRecurrent, isHybrid, swaSize } = native.model.fileInsights;
  const isRunning = isRecurrent || isHybrid;
  const windowTokens = swaSize ?? null;
  /** As the library keeps them; it may have dropped early ones to save memory, which `cut` finds out. */
  let lengths: number[] = [];

  /** Sliding-window models keep only the window: a cut inside what was dropped must not be reused. */
  const canDrop = (length: number): boolean => {
    if (isRunning) return false;
    const firstCell = windowTokens === null ? 0 : native.stateCellsStartIndex;
    return windowTokens === null || firstCell <= 0 || firstCell <= length - windowTokens;
  };
  const canRestore = (length: number): boolean =>
    lengths.includes(length) && (isRunning || length <= native.stateCellsStartIndex || contextOf(native) !== null);

  const clear = async () => {
    lengths = [];
    await native.clearHistory();
  };

  /**
   * The library looks only at the first cell that is left, not at the window before the cut, and would drop the end of a
   * state whose window is half gone instead of restoring the checkpoint that stands there.
   */
  const restore = async (cut: () => Promise<void>): Promise<void> => {
    const context = isRunning ? null : contextOf(native);
    if (context === null) return cut();
    // The native method is read-only, so it is covered, not assigned.
    Object.defineProperty(context, firstCellMethod, { value: () => native.nextTokenIndex, configurable: true });
    try {
      await cut();
    } finally {
      Reflect.deleteProperty(context, firstCellMethod);
    }
  };

  return {
    isNeeded: native.needsCheckpoints,
    async take() {
      const length = native.nextTokenIndex;
      if (!native.needsCheckpoints || length === 0 || lengths.includes(length)) return;
      try {
        await native.takeCheckpoint();
      } catch {
        // Out of memory for the copy: the library then has none at this length.
        return;
      }
      lengths.push(length);
      if (lengths.length > maxCheckpoints) lengths.shift();
    },
    reusable(tokens) {
      const common = Math.min(native.compareContextTokens(tokens as Token[]).firstDifferentIndex, tokens.length - 1);
      if (common <= 0) return 0;
      if (common === native.nextTokenIndex || canDrop(common)) return common;
      return lengths.findLast((length) => length <= common && canRestore(length)) ?? 0;
    },
    async cut(length) {
      if (length === 0) await clear();
      else if (length < native.nextTokenIndex) {
        const kept = native.contextTokens.slice(0, length);
        // Without a shift: shifted keys are only an approximation of the ones a fresh run would compute.
        const drop = () => native.adaptStateToTokens(kept, false);
        await (canDrop(length) ? drop() : restore(drop));
        // The checkpoint was gone. The library's own list may now tell of states that are no longer this one's.
        if (native.nextTokenIndex !== length) await clear();
      }
      lengths = lengths.filter((checkpoint) => checkpoint <= length);
      return native.nextTokenIndex;
    },
    copyable(length) {
      const held = native.nextTokenIndex;
      if (!native.needsCheckpoints || held <= length) return Math.min(held, length);
      // With a window the copy is made with the next decode call, over the checkpoint that would be put back before.
      return isRecurrent ? (lengths.findLast((checkpoint) => checkpoint <= length) ?? 0) : 0;
    },
    async copied(source, copy, length) {
      const taken = source.lengths();
      if ((await copy()) && native.nextTokenIndex === length) {
        lengths = taken.filter((checkpoint) => checkpoint <= length);
        return true;
      }
      await clear();
      return false;
    },
    lengths: () => lengths,
    clear,
  };
}

function contextOf(native: LlamaContextSequence): object | null {
  const context: unknown = Reflect.get(native.context, '_ctx');
  if (typeof context !== 'object' || context === null) return null;
  return typeof Reflect.get(context, firstCellMethod) === 'function' ? context : null;
}
