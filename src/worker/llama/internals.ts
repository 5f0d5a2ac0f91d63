/**
 * Everything that is reached for in node-llama-cpp without being part of what it offers. Nothing outside this file names
 * a private member; README.md beside it lists each with the test that guards it. A part is looked for and never taken
 * for granted: where it is gone, what it is for is gone, and nothing else.
 */
import { LlamaContextSequence, type Token, type TokenMeter } from 'node-llama-cpp';

/**
 * Whether the installed library carries our two-line patch of its speculative evaluation (`patches/`). As published, the
 * list of verified tokens is read but never filled, so the second guess of a step always counts as refuted.
 */
export function acceptsSeveralGuesses(): boolean {
  const evaluate: unknown = Reflect.get(LlamaContextSequence.prototype, '_speculativeEvaluate');
  return typeof evaluate === 'function' && evaluate.toString().includes('validatedTokens.push(');
}

/** What the library's own evaluations end in. */
interface DecodeSource {
  _decodeTokens?: (
    tokens: Token[],
    logits: boolean[],
    evaluationPriority: number,
    tokenMeter: TokenMeter,
    contextShift: object,
    mapLogits: () => undefined,
  ) => Promise<unknown>;
}

/**
 * Evaluates tokens at the end of a sequence and samples nothing, so that a step can be timed alone. Null where the library
 * has no such function. Not beside another call on the sequence, and the tokens have to fit: more would push out old ones.
 */
export function findEvaluateOnly(llamaSequence: LlamaContextSequence) {
  const source: DecodeSource = llamaSequence as DecodeSource;
  if (typeof source._decodeTokens !== 'function') return null;
  return async (slot: number, tokens: Token[], logits: 'all' | 'last'): Promise<void> => {
    const wanted = tokens.map((_, index) => logits === 'all' || index === tokens.length - 1);
    await source._decodeTokens!(tokens, wanted, slot, llamaSequence.tokenMeter, {}, () => undefined);
  };
}

/** The copy that the library's decision contexts use. */
interface CopySource {
  _copyStateFromOtherSequence?: (other: LlamaContextSequence, upToTokenIndex: number) => Promise<boolean>;
}

/**
 * Makes a sequence hold the first `length` tokens of another one's state; false when that failed. Null where the library
 * has no such function. The copy is noted at once and made with the next decode call.
 */
export function findStateCopy(
  llamaSequence: LlamaContextSequence,
): ((source: LlamaContextSequence, length: number) => Promise<boolean>) | null {
  return (llamaSequence as CopySource)._copyStateFromOtherSequence?.bind(llamaSequence) ?? null;
}

/** What a cut of the library asks first. */
const firstCellMethod = 'getSequenceKvCacheMinPosition';

/** Whether `withFirstCellCovered` covers anything. */
export function canCoverFirstCell(llamaSequence: LlamaContextSequence): boolean {
  return contextOf(llamaSequence) !== null;
}

/**
 * Runs a cut while the library takes the end of the state for its first cell. It looks only at the first cell that is
 * left, not at the window before the cut, and would drop the end of a sliding-window state whose window is half gone
 * instead of restoring the checkpoint that stands there.
 */
export async function withFirstCellCovered(
  llamaSequence: LlamaContextSequence,
  cut: () => Promise<void>,
): Promise<void> {
  const context = contextOf(llamaSequence);
  if (context === null) return cut();
  // The library's method is read-only, so it is covered, not assigned.
  Object.defineProperty(context, firstCellMethod, { value: () => llamaSequence.nextTokenIndex, configurable: true });
  try {
    await cut();
  } finally {
    Reflect.deleteProperty(context, firstCellMethod);
  }
}

function contextOf(llamaSequence: LlamaContextSequence): object | null {
  const context: unknown = Reflect.get(llamaSequence.context, '_ctx');
  if (typeof context !== 'object' || context === null) return null;
  return typeof Reflect.get(context, firstCellMethod) === 'function' ? context : null;
}
