import type { LlamaContextSequence, Token } from 'node-llama-cpp';
import { canCoverFirstCell, withFirstCellCovered } from './internals.ts';

/** Most checkpoints of one sequence; the one at the shortest length goes first. */
const maxCheckpoints = 6;

/** Room for the checkpoints of all sequences. One is kept in each, whatever its size. */
const checkpointBytes = 256 * 1024 * 1024;

/** Options for a sequence that takes checkpoints only when it is told to. */
export const checkpointOptions = (slots: number) => ({
  max: maxCheckpoints,
  interval: false as const,
  maxMemory: Math.floor(checkpointBytes / slots),
});

/** Going back on models whose state cannot simply be cut: to lengths at which it has a checkpoint. */
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

/** Keeps the checkpoints of one sequence of the library. */
export function createCheckpoints(llamaSequence: LlamaContextSequence): Checkpoints {
  const { isRecurrent, isHybrid, swaSize } = llamaSequence.model.fileInsights;
  const isRunning = isRecurrent || isHybrid;
  const windowTokens = swaSize ?? null;
  /** As the library keeps them; it may have dropped early ones to save memory, which `cut` finds out. */
  let lengths: number[] = [];

  /** Sliding-window models keep only the window: a cut inside what was dropped must not be reused. */
  const canDrop = (length: number): boolean => {
    if (isRunning) return false;
    const firstCell = windowTokens === null ? 0 : llamaSequence.stateCellsStartIndex;
    return windowTokens === null || firstCell <= 0 || firstCell <= length - windowTokens;
  };
  const canRestore = (length: number): boolean =>
    lengths.includes(length) &&
    (isRunning || length <= llamaSequence.stateCellsStartIndex || canCoverFirstCell(llamaSequence));

  const clear = async () => {
    lengths = [];
    await llamaSequence.clearHistory();
  };

  /** Takes the state back to a checkpoint. */
  const restore = (cut: () => Promise<void>): Promise<void> =>
    isRunning ? cut() : withFirstCellCovered(llamaSequence, cut);

  return {
    isNeeded: llamaSequence.needsCheckpoints,
    async take() {
      const length = llamaSequence.nextTokenIndex;
      if (!llamaSequence.needsCheckpoints || length === 0 || lengths.includes(length)) return;
      try {
        await llamaSequence.takeCheckpoint();
      } catch {
        // Out of memory for the copy: the library then has none at this length.
        return;
      }
      lengths.push(length);
      if (lengths.length > maxCheckpoints) lengths.shift();
    },
    reusable(tokens) {
      const common = Math.min(
        llamaSequence.compareContextTokens(tokens as Token[]).firstDifferentIndex,
        tokens.length - 1,
      );
      if (common <= 0) return 0;
      if (common === llamaSequence.nextTokenIndex || canDrop(common)) return common;
      return lengths.findLast((length) => length <= common && canRestore(length)) ?? 0;
    },
    async cut(length) {
      if (length === 0) await clear();
      else if (length < llamaSequence.nextTokenIndex) {
        const kept = llamaSequence.contextTokens.slice(0, length);
        // Without a shift: shifted keys are only an approximation of the ones a fresh run would compute.
        const drop = () => llamaSequence.adaptStateToTokens(kept, false);
        await (canDrop(length) ? drop() : restore(drop));
        // The checkpoint was gone. The library's own list may now tell of states that are no longer this one's.
        if (llamaSequence.nextTokenIndex !== length) await clear();
      }
      lengths = lengths.filter((checkpoint) => checkpoint <= length);
      return llamaSequence.nextTokenIndex;
    },
    copyable(length) {
      const held = llamaSequence.nextTokenIndex;
      if (!llamaSequence.needsCheckpoints || held <= length) return Math.min(held, length);
      // With a window the copy is made with the next decode call, over the checkpoint that would be put back before.
      return isRecurrent ? (lengths.findLast((checkpoint) => checkpoint <= length) ?? 0) : 0;
    },
    async copied(source, copy, length) {
      const taken = source.lengths();
      if ((await copy()) && llamaSequence.nextTokenIndex === length) {
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
