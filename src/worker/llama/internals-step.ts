/**
 * The step of answers that guess nothing, straight on the library's native context: the second and last file that names
 * private members, by the rules of `internals.ts`. The library's own way from one decode call to the next leads through
 * generators, locks, a turn of the event loop and a sampler's settings told anew; that took longer than choosing the token.
 */
import type { LlamaContext, LlamaContextSequence, SequenceEvaluateOptions, Token } from 'node-llama-cpp';

/** One sequence's part in a step. */
interface StepPart {
  llamaSequence: LlamaContextSequence;
  /** Orders the parts in the library's queue. */
  slot: number;
  /** To be evaluated at the end of the sequence; they have to fit. */
  tokens: readonly Token[];
  sampler: StepSampler;
  /** Is told at which index of the batch the token is chosen, before it is. */
  watch: (batchLogitIndex: number) => void;
}

/** Chooses the tokens of one answer. */
export interface StepSampler {
  /** Takes over what has changed since the last token. */
  prepare(): void;
  /** To be called once, while nothing is being chosen. */
  dispose(): void;
  readonly native: object;
}

export interface StepDriver {
  /** `options` as the library's own evaluations take them; its functions are asked before each token. */
  newSampler(llamaSequence: LlamaContextSequence, options: SequenceEvaluateOptions): StepSampler;
  /** Whether the state ends in guesses of the library that nobody took: only its own evaluations drop them. */
  holdsGuesses(llamaSequence: LlamaContextSequence): boolean;
  /**
   * Evaluates tokens and chooses the next one; rejects when there is none. What is asked for in one tick is one decode call,
   * in the order of asking, which has to be that of the slots.
   */
  choose(part: StepPart): Promise<Token>;
  /** To be called in the tick in which an evaluation of the library begins: it shares the decode call with the others. */
  joinLibrary(): void;
}

/** What the library takes for "no token could be chosen". */
const noToken = -1;

interface NativeContext {
  initBatch(tokens: number): void;
  /** Returns the index in the batch of each wanted row. */
  addToBatch(sequenceId: number, firstIndex: number, tokens: Uint32Array, wantedRows: Uint32Array): ArrayLike<number>;
  setThreads(threads: number): void;
  decodeBatch(): Promise<void>;
  sampleToken(batchLogitIndex: number, sampler: object): Promise<number>;
}

interface NativeSampler {
  applyConfig(config: object): void;
  dispose(): void;
}

type SamplerConfig = Record<string, unknown>;

/** The members of a sequence that a step reads and moves on. */
interface SequenceState {
  _sequenceId: number;
  _nextTokenIndex: number;
  _contextTokens: Token[];
  _loadedTokenPredictions: readonly unknown[];
  _resolveSamplerConfig(options: SequenceEvaluateOptions): SamplerConfig;
}

/** Queues a part beside evaluations of the library; resolves to its rows and what was mapped of them. */
type QueueTokens = (
  part: object,
  mapLogits: (batchLogitIndex: number) => Promise<number>,
) => Promise<[tokenIndex: number, token: number][]>;

const stateOf = (llamaSequence: LlamaContextSequence) => llamaSequence as unknown as SequenceState;

/** Null where the library lacks a part of what a step needs. `sequences`: all of the context. */
export function findStepDriver(context: LlamaContext, sequences: readonly LlamaContextSequence[]): StepDriver | null {
  const native = nativeContextOf(context);
  const newNative = nativeSamplerOf(context);
  const queue = functionOf(context, '_decodeTokens');
  if (native === null || newNative === null || queue === null || !sequences.every(hasState)) return null;
  const queueTokens = queue.bind(context) as QueueTokens;
  const { llama } = context.model;
  let waiting: { part: StepPart; resolve: (token: Promise<number>) => void }[] = [];
  let isScheduled = false;
  let hasLibrary = false;

  const schedule = () => {
    if (isScheduled) return;
    isScheduled = true;
    queueMicrotask(dispatch);
  };
  /** Everything that was asked for in this tick, at once. */
  const dispatch = () => {
    const parts = waiting;
    const isMixed = hasLibrary || batchTokens(parts) > context.batchSize;
    waiting = [];
    isScheduled = false;
    hasLibrary = false;
    if (parts.length === 0) return;
    if (isMixed) for (const { part, resolve } of parts) resolve(queueBeside(part));
    else decode(parts);
  };
  const batchTokens = (parts: typeof waiting) => parts.reduce((sum, { part }) => sum + part.tokens.length, 0);

  const decode = (parts: typeof waiting) => {
    let rows: number[];
    let decoded: Promise<void>;
    try {
      native.initBatch(batchTokens(parts));
      rows = parts.map(({ part }) => addToBatch(part));
      native.setThreads(llama.maxThreads);
      decoded = native.decodeBatch();
    } catch (error) {
      decoded = Promise.reject(error);
      rows = [];
    }
    for (const [index, { part, resolve }] of parts.entries()) {
      resolve(
        decoded.then(() => {
          moveOn(part);
          return sample(part, rows[index]!);
        }),
      );
    }
  };
  const addToBatch = ({ llamaSequence, tokens }: StepPart): number => {
    const { _sequenceId: id, _nextTokenIndex: first } = stateOf(llamaSequence);
    return native.addToBatch(id, first, Uint32Array.from(tokens), Uint32Array.of(tokens.length - 1))[0]!;
  };

  /** In the library's queue, whose next batch takes all that is there. */
  const queueBeside = async (part: StepPart): Promise<number> => {
    const { _sequenceId: sequenceId, _nextTokenIndex: firstTokenSequenceIndex } = stateOf(part.llamaSequence);
    const { tokens, slot: evaluationPriority } = part;
    const logits = tokens.map((_, index) => index === tokens.length - 1);
    const { tokenMeter } = part.llamaSequence;
    const rows = await queueTokens(
      { sequenceId, tokens: [...tokens], logits, firstTokenSequenceIndex, evaluationPriority, tokenMeter },
      (batchLogitIndex) => sample(part, batchLogitIndex),
    );
    moveOn(part);
    return rows[0]?.[1] ?? noToken;
  };

  const sample = ({ watch, sampler }: StepPart, batchLogitIndex: number): Promise<number> => {
    watch(batchLogitIndex);
    return native.sampleToken(batchLogitIndex, sampler.native);
  };
  const moveOn = ({ llamaSequence, tokens }: StepPart) => {
    const state = stateOf(llamaSequence);
    state._nextTokenIndex += tokens.length;
    for (const token of tokens) state._contextTokens.push(token);
  };

  return {
    newSampler: (llamaSequence, options) => newSampler(newNative(), options, () => stateOf(llamaSequence)),
    holdsGuesses: (llamaSequence) => stateOf(llamaSequence)._loadedTokenPredictions.length > 0,
    async choose(part) {
      // Beyond it the library would drop the oldest tokens without a word.
      const isFull = stateOf(part.llamaSequence)._nextTokenIndex + part.tokens.length >= context.contextSize;
      if (isFull) throw new Error('the context is full');
      part.sampler.prepare();
      schedule();
      const token = await new Promise<number>((resolve) => {
        waiting.push({ part, resolve });
      });
      if (token === noToken) throw new Error('no token could be chosen');
      return token as Token;
    },
    joinLibrary() {
      hasLibrary = true;
      schedule();
    },
  };
}

function newSampler(native: NativeSampler, options: SequenceEvaluateOptions, state: () => SequenceState): StepSampler {
  const changes = options.grammarEvaluationState !== undefined || options.repeatPenalty !== undefined;
  let isSet = false;
  return {
    native,
    prepare() {
      if (isSet && !changes) return;
      const config = state()._resolveSamplerConfig(options);
      // The sampler would begin anew with them.
      if (isSet && config['dryRepeatPenaltyStrength'] !== undefined) config['dryRepeatPenaltySequenceBreakers'] = false;
      native.applyConfig(config);
      isSet = true;
    },
    dispose: () => native.dispose(),
  };
}

function nativeContextOf(context: LlamaContext): NativeContext | null {
  const native: unknown = Reflect.get(context, '_ctx');
  const methods = ['initBatch', 'addToBatch', 'setThreads', 'decodeBatch', 'sampleToken'];
  return methods.every((method) => functionOf(native, method) !== null) ? (native as NativeContext) : null;
}

function nativeSamplerOf({ model }: LlamaContext): (() => NativeSampler) | null {
  const Sampler = functionOf(Reflect.get(model.llama, '_bindings'), 'AddonSampler');
  return Sampler && (() => Reflect.construct(Sampler, [Reflect.get(model, '_model')]) as NativeSampler);
}

function hasState(llamaSequence: LlamaContextSequence): boolean {
  const state: Partial<SequenceState> = stateOf(llamaSequence);
  const { _sequenceId: id, _nextTokenIndex: next, _contextTokens: tokens, _loadedTokenPredictions: guesses } = state;
  const numbers = typeof id === 'number' && typeof next === 'number';
  return (
    numbers && Array.isArray(tokens) && Array.isArray(guesses) && functionOf(state, '_resolveSamplerConfig') !== null
  );
}

function functionOf(owner: unknown, name: string): ((...args: never[]) => unknown) | null {
  if (typeof owner !== 'object' || owner === null) return null;
  const member: unknown = Reflect.get(owner, name);
  return typeof member === 'function' ? (member as (...args: never[]) => unknown) : null;
}
