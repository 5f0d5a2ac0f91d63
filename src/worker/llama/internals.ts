/**
 * What is reached for in node-llama-cpp without being part of what it offers. Nothing outside this file and
 * `internals-step.ts` names a private member; README.md beside them lists each with the test that guards it. A part is looked for and never taken
 * for granted: where it is gone, what it is for is gone, and nothing else.
 */
import { type LlamaContext, LlamaContextSequence, type Token, type TokenMeter } from 'node-llama-cpp';

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
    mapLogits: (batchLogitIndex: number, tokenIndex: number) => unknown,
    ...rest: unknown[]
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
  const context = nativeContextOf(llamaSequence.context);
  return context !== null && typeof Reflect.get(context, firstCellMethod) === 'function' ? context : null;
}

function nativeContextOf(llamaContext: LlamaContext): object | null {
  const context: unknown = Reflect.get(llamaContext, '_ctx');
  return typeof context === 'object' && context !== null ? context : null;
}

/** Chooses a token, with what else was asked for behind it: probabilities, confidence, logits, their total weight. */
type SampleToken = (batchLogitIndex: number, sampler: object, ...wanted: unknown[]) => Promise<number | unknown[]>;

/** What the library takes for "no token could be chosen": it fails that one evaluation. */
const noToken = -1;

/**
 * Why no token could be chosen. `not-finite`: the model's own scores are no numbers; else what the library threw, or
 * that a request's wishes left no token a finite score.
 */
export type SamplingFault = { type: 'not-finite' } | { type: 'no-score' } | { type: 'failed'; error: unknown };

/** Is told what comes of the choice at an index of the batch under way. */
type Watchers = Map<number, (fault: SamplingFault) => void>;

/** By context. */
const watchersOf = new WeakMap<object, Watchers>();

/** A look at what the samplers of one sequence see. */
export interface SamplingWatch {
  /** The first fault since the last call. */
  takeFault(): SamplingFault | null;
  /** The sequence's next token is chosen at this index of the batch. The library's own evaluations tell it by themselves. */
  expect(batchLogitIndex: number): void;
}

/**
 * Looks at what the samplers of a sequence see. The weight of the candidates that are left to choose from is one number,
 * and no number where one of them is none; nothing else is looked at, so it costs no pass over the vocabulary. An error of
 * a sampler is told in the same way: the library forgets the evaluation then, and ends the process.
 * Null where the library cannot be watched.
 */
export function watchSampling(llamaSequence: LlamaContextSequence): SamplingWatch | null {
  const source = llamaSequence as DecodeSource;
  const watchers = watchersIn(llamaSequence.context);
  if (watchers === null || typeof source._decodeTokens !== 'function') return null;
  let fault: SamplingFault | null = null;
  const note = (found: SamplingFault) => {
    fault ??= found;
  };
  const expect = (batchLogitIndex: number) => {
    watchers.set(batchLogitIndex, note);
  };
  const decode = source._decodeTokens.bind(llamaSequence);
  const watched: typeof decode = (tokens, logits, evaluationPriority, tokenMeter, contextShift, mapLogits, ...rest) => {
    const mapWatched = (batchLogitIndex: number, tokenIndex: number) => {
      expect(batchLogitIndex);
      return mapLogits(batchLogitIndex, tokenIndex);
    };
    return decode(tokens, logits, evaluationPriority, tokenMeter, contextShift, mapWatched, ...rest);
  };
  Object.defineProperty(llamaSequence, '_decodeTokens', { value: watched, configurable: true });
  const takeFault = () => {
    const taken = fault;
    fault = null;
    return taken;
  };
  return { takeFault, expect };
}

/** Covers the choice of tokens in a context, once. */
function watchersIn(llamaContext: LlamaContext): Watchers | null {
  const context = nativeContextOf(llamaContext);
  const sample: unknown = context && Reflect.get(context, 'sampleToken');
  if (context === null || typeof sample !== 'function') return null;
  const known = watchersOf.get(context);
  if (known) return known;
  const watchers: Watchers = new Map();
  const value = lookedAt(sample.bind(context), watchers, () => bareSampler(llamaContext));
  Object.defineProperty(context, 'sampleToken', { value, configurable: true });
  watchersOf.set(context, watchers);
  return watchers;
}

/** `newBare`: a sampler without anybody's wishes, or null. */
function lookedAt(sample: SampleToken, watchers: Watchers, newBare: () => BareSampler | null): SampleToken {
  const weigh = async (index: number, sampler: object, ...wanted: unknown[]) => {
    const [probabilities = false, confidence = false, logits = false] = wanted;
    const found = await sample(index, sampler, probabilities, confidence, logits, true);
    const [token, weight] = Array.isArray(found) ? [found[0], found[4]] : [found, undefined];
    return { found, token: Number(token), isSound: token !== noToken && Number.isFinite(weight ?? 0) };
  };
  /** Whether the model itself gives a token a finite score, whatever a request made of it. */
  const hasScores = async (index: number) => {
    const bare = newBare();
    if (bare === null) return true;
    try {
      return (await weigh(index, bare)).isSound;
    } finally {
      bare.dispose();
    }
  };
  return async (index, sampler, ...wanted): Promise<number | unknown[]> => {
    let fault: SamplingFault = { type: 'no-score' };
    try {
      const { found, token, isSound } = await weigh(index, sampler, ...wanted);
      if (isSound) return wanted.length === 0 ? token : found;
    } catch (error) {
      fault = { type: 'failed', error };
    }
    watchers.get(index)?.((await hasScores(index)) ? fault : { type: 'not-finite' });
    // Who asks for logits reads a list, whatever is in it.
    return Array.isArray(wanted[2]) ? [noToken] : noToken;
  };
}

interface BareSampler {
  applyConfig(config: object): void;
  dispose(): void;
}

function bareSampler({ model }: LlamaContext): BareSampler | null {
  const Sampler: unknown = Reflect.get(Reflect.get(model.llama, '_bindings') ?? {}, 'AddonSampler');
  if (typeof Sampler !== 'function') return null;
  const sampler: BareSampler = Reflect.construct(Sampler, [Reflect.get(model, '_model')]);
  sampler.applyConfig({ temperature: 1, topK: 40, topP: 1, minP: 0, seed: 1 });
  return sampler;
}
